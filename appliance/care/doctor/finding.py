"""What an examination says: one line per thing looked at, and what to do where it is not well."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing is. `skipped` is neither good nor bad: it cannot be seen from here, and `what` says why."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of one thing, what was seen, and the mend ("" where there is nothing to do). No patient data."""

    state: State
    what: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict with the name of the thing it is about."""

    name: str
    state: State
    what: str
    mend: str = ""

    @classmethod
    def of(cls, name: str, verdict: Verdict) -> Finding:
        """Name a verdict."""
        return cls(name, verdict.state, verdict.what, verdict.mend)

    @property
    def is_well(self) -> bool:
        """Whether nobody has to do anything about it."""
        return self.state in (State.OK, State.SKIPPED)


def ok(what: str) -> Verdict:
    """It is as it should be."""
    return Verdict(State.OK, what)


def warning(what: str, mend: str) -> Verdict:
    """The box works, and somebody should look at this before it does not."""
    return Verdict(State.WARNING, what, mend)


def fault(what: str, mend: str) -> Verdict:
    """Something does not work, or is not safe."""
    return Verdict(State.FAULT, what, mend)


def skipped(why: str) -> Verdict:
    """It cannot be seen from here, and why."""
    return Verdict(State.SKIPPED, why)


_RANKS = {State.SKIPPED: 0, State.OK: 1, State.WARNING: 2, State.FAULT: 3}


def together(verdicts: list[Verdict], otherwise: Verdict) -> Verdict:
    """Return one verdict for many parts of a thing: the worst state, all the words of it; `otherwise` for none."""
    if not verdicts:
        return otherwise
    worst = max((one.state for one in verdicts), key=_RANKS.__getitem__)
    meant = [one for one in verdicts if one.state is worst]
    mends = dict.fromkeys(one.mend for one in meant if one.mend)
    return Verdict(worst, "; ".join(one.what for one in meant), "; ".join(mends))
