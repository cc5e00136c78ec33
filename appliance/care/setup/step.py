"""One thing that set-up sees to: what it is, whether something is to be done about it, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Action(StrEnum):
    """What becomes of it."""

    KEEP = "keep"
    MAKE = "make"
    CHANGE = "change"
    RUN = "run"
    LEAVE = "leave"


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Step:
    """What would be done to one thing; `apply` does it, once, and may raise ApplianceError or OSError.

    `detail` and `warning` are for people and hold no secret; what `apply` returns may be one, to be shown once. Where a
    step is not vital, the box goes on without it: its failure is told, and the others are applied all the same.
    """

    part: str
    name: str
    action: Action
    detail: str = ""
    warning: str = ""
    apply: Callable[[], str] = _nothing
    is_vital: bool = True

    @property
    def is_due(self) -> bool:
        """Whether applying it changes anything."""
        return self.action in DUE

    def document(self) -> dict[str, str]:
        """Return the step without its deed."""
        return {
            "part": self.part,
            "name": self.name,
            "action": self.action.value,
            "detail": self.detail,
            "warning": self.warning,
        }


DUE: Final = frozenset({Action.MAKE, Action.CHANGE, Action.RUN})


def is_due(steps: Iterable[Step]) -> bool:
    """Say whether any step changes anything."""
    return any(step.is_due for step in steps)


def warns(steps: Iterable[Step]) -> bool:
    """Say whether any step has a warning."""
    return any(step.warning for step in steps)
