"""One step of the way: what became of it, and how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from appliance.errors import ApplianceError, PeerError


class Outcome(StrEnum):
    """What became of a step. `unproven` is no failure: nothing here can prove more."""

    OK = "ok"
    UNPROVEN = "unproven"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNREACHED = "unreached"
    LATE = "late"


GOOD = frozenset({Outcome.OK, Outcome.UNPROVEN, Outcome.SKIPPED})


@dataclass(frozen=True, slots=True)
class Step:
    """A step and its time in seconds; `mend` is "" where there is nothing to do. No patient data."""

    name: str
    outcome: Outcome
    seconds: float
    what: str
    mend: str = ""


class Ended(Exception):
    """A step ended otherwise than well; the following may go on, or not."""

    def __init__(self, outcome: Outcome, what: str, mend: str = "") -> None:
        super().__init__(what)
        self.outcome, self.what, self.mend = outcome, what, mend


@dataclass
class Protocol:
    """The steps so far. `tell` hears each as it ends; `monotonic` is the clock they are timed by."""

    tell: Callable[[Step], None]
    monotonic: Callable[[], float]
    steps: list[Step]

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time what happens inside; the list takes the words for a good end. Expected errors end the step, not more."""
        begun, words = self.monotonic(), list[str]()
        outcome, mend = Outcome.OK, ""
        try:
            yield words
        except Ended as end:
            outcome, words, mend = end.outcome, [end.what], end.mend
        except PeerError as error:
            outcome, words, mend = Outcome.UNREACHED, [error.message], error.hint
        except ApplianceError as error:
            outcome, words, mend = Outcome.FAILED, [error.message], error.hint
        except OSError as error:
            outcome, words, mend = Outcome.UNREACHED, [error.strerror or type(error).__name__], "see: appliance doctor"
        self.add(Step(name, outcome, round(self.monotonic() - begun, 3), "; ".join(words), mend))

    def add(self, step: Step) -> None:
        """Append a step."""
        self.steps.append(step)
        self.tell(step)

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong so far."""
        return all(one.outcome in GOOD for one in self.steps)
