"""The topics a box reports under, and what is put into them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AT_MOST_ONCE, AT_LEAST_ONCE = 0, 1


@dataclass(frozen=True, slots=True)
class Message:
    """One publication. A retained one is what a later subscriber is told at once."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one box."""

    status: str
    health: str

    @classmethod
    def of(cls, prefix: str, site: str) -> Topics:
        """Return the topics of `site` below `prefix` (docs/monitoring.md)."""
        return cls(f"{prefix}/{site}/status", f"{prefix}/{site}/health")

    def status_message(self, report: Mapping[str, Any]) -> Message:
        """Return the message that says how the box is: retained, and sent until the broker confirms it."""
        return Message(self.status, _encoded(report), AT_LEAST_ONCE, retain=True)

    def health_message(self, report: Mapping[str, Any]) -> Message:
        """Return the message with the box's numbers. A lost one is not sent again: the next one says more."""
        return Message(self.health, _encoded(report), AT_MOST_ONCE, retain=False)


def _encoded(report: Mapping[str, Any]) -> bytes:
    return json.dumps(report, separators=(",", ":"), allow_nan=False).encode()
