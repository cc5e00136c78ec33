"""A sink that keeps the last records in memory: NOT durable; for drills, and as the discarding baseline."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from appliance.archive.outbox import Delivery
from appliance.sync.envelope import OBJECT, Envelope, object_path, seal
from appliance.sync.sinks.contract import Answer, Misconfigured, RowFault, Unreachable

KEPT = 1000


class MemorySink:
    """Takes everything, keeps the last `kept` records and object digests, forgets them with the process.

    `outage` may be set to an error: it is then raised instead of delivering, as a drill.
    """

    def __init__(self, kept: int = KEPT) -> None:
        """Take how many records, and how many digests, are kept; 0 discards everything."""
        self.outage: Unreachable | Misconfigured | None = None
        self.envelopes: deque[Envelope] = deque(maxlen=kept)
        self.objects: deque[tuple[str, str]] = deque(maxlen=kept)

    def deliver(self, batch: Sequence[Delivery]) -> Mapping[int, Answer]:
        """Keep the records in batch order, those of objects last. See the contract."""
        if self.outage is not None:
            raise self.outage
        ahead = [delivery for delivery in batch if delivery.kind != OBJECT]
        objects = [delivery for delivery in batch if delivery.kind == OBJECT]
        return {delivery.event_id: self._take(delivery) for delivery in (*ahead, *objects)}

    def close(self) -> None:
        """Nothing to let go of."""

    def _take(self, delivery: Delivery) -> Answer:
        try:
            if delivery.kind != OBJECT:
                self.envelopes.extend(seal(delivery))
                return None
            if delivery.blob is None:
                return RowFault("the archive no longer holds this object's bytes")
            path = object_path(delivery)
            self.envelopes.extend(seal(delivery, path))
            self.objects.append((path, delivery.blob.digest))
        except RowFault as fault:
            return fault
        return None
