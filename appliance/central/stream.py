"""What the loader asks of the topics."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from appliance.central.record import Record, Slot


class Stream(Protocol):
    """The topics as a member of a consumer group reads them. One thread uses it."""

    def poll(self, seconds: float) -> Sequence[Record]:
        """Return records that are new, waiting up to `seconds` for them; keeps the membership alive.

        Raises Unavailable or Misdirected: then every partition is lost, and the next call connects anew.
        """

    def taken(self) -> Collection[Slot]:
        """Return the partitions that were taken from us since the last call.

        Those that a rebalance left with us are not among them: their records are not polled again.
        """

    def seek(self, slot: Slot, offset: int) -> None:
        """Poll the records of a partition from `offset` on again, if it is ours."""

    def hold(self, slots: Collection[Slot]) -> None:
        """Read nothing of exactly these partitions from now on."""

    def commit(self, slot: Slot, offset: int) -> None:
        """Commit the offset to be read next. Raises Unavailable, also when the group is being rearranged, Misdirected.

        A partition that is not ours any more is among the next `taken`.
        """

    def lag(self) -> Mapping[Slot, int]:
        """Return how many records of each partition that is ours nobody has polled yet, as far as known."""

    def close(self) -> None:
        """Leave the group. Safe to repeat."""
