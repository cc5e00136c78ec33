"""The steps by which the centre is set up, as they are told to whoever runs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What a step does. KEEP: nothing, all is there."""

    CREATE = "create"
    EXTEND = "extend"
    GRANT = "grant"
    WRITE = "write"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: at which server, about what. `warning` says what is not as it is wanted and is left so."""

    part: str
    name: str
    action: Action
    detail: str = ""
    warning: str = ""

    def document(self) -> dict[str, Any]:
        """Return it for JSON and tables."""
        return {
            "part": self.part,
            "name": self.name,
            "action": str(self.action),
            "detail": self.detail,
            "warning": self.warning,
        }


def is_due(steps: Iterable[Step]) -> bool:
    """Say whether any step changes something."""
    return any(step.action is not Action.KEEP for step in steps)


def warns(steps: Iterable[Step]) -> bool:
    """Say whether any step has a warning."""
    return any(step.warning for step in steps)
