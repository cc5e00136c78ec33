"""What the loader's databases promise: one batch in, the rows at fault out, everything else durable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from appliance.errors import DeliveryError
from appliance.model.records import Value


class Kind(StrEnum):
    """What a topic's records are about; the names are those of the Kafka sink's `topics`."""

    STATE = "state"
    IMAGE = "image"
    LOG = "log"
    STORAGE = "storage"
    ACCESS = "access"
    TRANSCODE = "transcode"


class Unavailable(DeliveryError):
    """The database cannot be reached, is overloaded or full: wait and try again, for ever.

    Counts against no row. `retry_after` is the database's own wish in seconds. `doubtful`: the database was spoken to,
    and may mean the rows after all.
    """

    retryable = True

    def __init__(self, message: str, *, hint: str = "", retry_after: float = 0.0, doubtful: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        self.doubtful = doubtful


class Misdirected(DeliveryError):
    """Somebody must mend a setting, a permission or a schema: the loader pauses with this message.

    `doubtful` as in Unavailable: it was told by a text that may quote a row.
    """

    def __init__(self, message: str, *, hint: str = "", doubtful: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.doubtful = doubtful


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why the database will never take a row as it is: a plain sentence that carries no value of the row."""

    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Admitted rows of one topic-partition, in offset order.

    `first_offset` and `last_offset` (inclusive) span what was read, rejected records included, so the number
    of rows may be smaller. Each row has exactly the fields of its kind in model.cloud_fields, in that order, checked by
    model.cloud_reading: dates and times are ISO text, absent ones None. `table` is where the rows of this kind belong.
    `again` makes a repeat of rows another load than any before, 0 else.
    """

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    kind: Kind
    rows: Sequence[Mapping[str, Value]]
    table: str
    again: int = 0


class Target(Protocol):
    """A database. One thread at a time uses it; construction touches nothing outside the process."""

    name: str

    def load(self, batch: Batch) -> Mapping[int, RowFault]:
        """Store the rows; return the faulty ones by their index in `batch.rows`.

        Permanence: on return every row that is not in the answer is durable and visible to readers, or will be
        visible without anybody's doing. All of them, whatever fault the others have: a bad row spoils no other.

        Idempotence: a row may come again after any crash or error, alone or in another batch. An older revision
        of a key never replaces a newer one, and equal ones count as one.

        Raises Unavailable or Misdirected: then nothing is known of any row, and the whole batch comes again. Any other
        error, and one in doubt, counts as an unknown row's fault while the table takes another row. Texts carry no
        patient data.
        """

    def close(self) -> None:
        """Let go of connections. Safe to repeat; the next `load` opens them anew."""


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """Metadata of one series (sop_uid "", revision of the state record) or of one image is in the databases.

    `site` is the box that said it (ce_source). `digest` and `transfer_syntax_uid` are those of the object that an
    image record was made from, "" for a series. `at` is in microseconds since 1970, UTC.
    """

    site: str
    tenant: str
    study_uid: str
    series_uid: str
    sop_uid: str
    digest: str
    transfer_syntax_uid: str
    revision: int
    at: int


class ReceiptBook(Protocol):
    """Where receipts are kept for the receiver to fetch. One thread at a time uses it."""

    def write(self, rows: Sequence[ReceiptRow]) -> None:
        """Keep the receipts; durable on return. A repeat is harmless. Raises Unavailable, Misdirected."""

    def close(self) -> None:
        """Let go of connections. Safe to repeat; the next `write` opens them anew."""
