"""What every sink promises. One test suite (tests/contract) holds all of them to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from appliance.archive.outbox import Delivery
from appliance.errors import DeliveryError


class Unreachable(DeliveryError):
    """The destination cannot be reached, is overloaded or full: wait and try again, for ever.

    Counts nothing against the rows. `retry_after` is the destination's own wish in seconds.
    `about_row`: the destination said it of one row, so it may be that row's own trouble after all.
    """

    retryable = True

    def __init__(self, message: str, *, hint: str = "", retry_after: float = 0.0, about_row: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        self.about_row = about_row


class Misconfigured(DeliveryError):
    """Somebody must mend a setting or a permission. The sink pauses with this message; the rows stay.

    `about_row` as for Unreachable.
    """

    def __init__(self, message: str, *, hint: str = "", about_row: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.about_row = about_row


class RowFault(DeliveryError):
    """The destination will never take this row as it is. It becomes a dead letter."""


class Rejected(RowFault):
    """A row fault that the destination itself has told: so the destination is there."""


Answer = DeliveryError | None
"""What became of one row: None = delivered; an error of the kinds above; any other kind = unknown fault."""


class Sink(Protocol):
    """A destination. One thread at a time uses it; construction touches nothing outside the process."""

    def deliver(self, batch: Sequence[Delivery]) -> Mapping[int, Answer]:
        """Bring a batch to the destination and return each row's answer by event id.

        Permanence: None means that the row is durable at the destination, at a power cut too. A
        sink that cannot give this says so in its first docstring line.

        Idempotence: a row may come again, alone or in another batch, after any crash or error,
        delivered before or not. The destination is then the same as after one delivery, records
        of equal natural key and revision counting as one.

        Order: rows of one series and kind become visible in batch order. Records of states and
        images go ahead of objects; the store record of an object follows its durable bytes.

        Raises Unreachable or Misconfigured when that is true of the whole batch, RowFault when
        one unnamed row spoils it (the caller then splits it). Rows without an answer count as
        failed for an unknown reason. Messages carry no patient data.
        """

    def close(self) -> None:
        """Let go of files, locks and connections. Safe to repeat; the next `deliver` opens them anew."""
