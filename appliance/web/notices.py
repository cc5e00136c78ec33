"""What a person in front of the pages should know of the way out, and of contents that contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from appliance.archive.outbox_desk import SinkStats
from appliance.web.worklist import shown_moment

HELD: Final = "Sending to {sink} is paused by the operator: {reason}"
CONFLICTS: Final = (
    "{count} images arrived a second time with different content. Both contents are kept;"
    " an administrator must choose: appliance conflict list"
)
_DOWN: Final = "The line to {sink} has been down since {since}: {reason}"
_BY_ITSELF: Final = (
    "You can go on reading: everything received here is kept and can be opened."
    " {waiting} records wait and are sent by themselves when the line is back."
)
# A line that is being tried once more ("half-open") is not back yet.
TEXTS: Final[Mapping[str, str]] = MappingProxyType({
    "open": _DOWN,
    "half-open": _DOWN,
    "paused": "Sending to {sink} has waited for an administrator since {since}: {reason}",
})  # fmt: skip
MEANINGS: Final[Mapping[str, str]] = MappingProxyType({
    "open": _BY_ITSELF,
    "half-open": _BY_ITSELF,
    "paused": "You can go on reading: everything received here is kept. {waiting} records wait to be sent.",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence and what it means; both are translated with `values`. `kind` is a CSS class."""

    text: str
    values: Mapping[str, object]
    meaning: str = ""
    kind: str = "outage"


def notices(stats: Mapping[str, SinkStats], conflicts: int = 0, zone: str = "UTC") -> list[Notice]:
    """Return the sentences: sinks in order of their names, then open conflicts.

    Reasons hold no patient data, by the sinks' contract. Moments are shown in the IANA zone `zone`.
    """
    found = [_of_sink(sink, numbers, zone) for sink, numbers in sorted(stats.items()) if numbers.active]
    if conflicts:
        found.append(Notice(CONFLICTS, {"count": conflicts}, kind="conflict"))
    return [notice for notice in found if notice is not None]


def _of_sink(sink: str, numbers: SinkStats, zone: str) -> Notice | None:
    values: dict[str, object] = {"sink": sink, "reason": numbers.reason, "waiting": numbers.pending + numbers.leased}
    if numbers.held:
        return Notice(HELD, values | {"reason": numbers.held})
    if numbers.breaker not in TEXTS:
        return None
    since = {"since": shown_moment(numbers.since, zone)}
    return Notice(TEXTS[numbers.breaker], values | since, MEANINGS[numbers.breaker])
