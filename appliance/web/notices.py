"""What a person in front of the pages should know of the way out: one sentence per sink that is not being served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from appliance.archive.outbox_desk import SinkStats

HELD: Final = "Sending to {sink} is paused by the operator: {reason}"
TEXTS: Final[Mapping[str, str]] = MappingProxyType({
    "open": "Sending to {sink} waits, it goes on by itself: {reason}",
    "paused": "Sending to {sink} waits for an administrator: {reason}",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence; `text` is translated with `values`."""

    text: str
    values: Mapping[str, object]


def notices(stats: Mapping[str, SinkStats]) -> list[Notice]:
    """Return the sentences, in order of the sinks' names. Reasons hold no patient data, by the sinks' contract."""
    found = []
    for sink, numbers in sorted(stats.items()):
        text, reason = (HELD, numbers.held) if numbers.held else (TEXTS.get(numbers.breaker, ""), numbers.reason)
        if numbers.active and text:
            found.append(Notice(text, {"sink": sink, "reason": reason}))
    return found
