"""Batches in hand: what was read of a partition, on its way into a database, until its offsets may be committed.

    load (halving on faults of unknown rows) -> dead letters -> receipts -> commit

Each step is done once however often a later one has to wait; nothing here touches anything outside the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.central.admission import Admitted, Cause, Rejection
from appliance.central.dead_letters import DeadLetter
from appliance.central.record import Record, Slot
from appliance.central.targets import Batch, Kind, ReceiptRow, RowFault

POISON = "the database failed on this record, alone, again and again, and did not say why"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is loaded at a time, and how long less than that may wait for more (seconds)."""

    rows: int = 2000
    bytes: int = 4 << 20
    linger: float = 0.5


class Gathering:
    """Records of one partition that are not a batch yet, in offset order."""

    def __init__(self) -> None:
        """Begin empty."""
        self._records: deque[Record] = deque()
        self._since = 0.0
        self.size = 0

    def __len__(self) -> int:
        """Count the records."""
        return len(self._records)

    @property
    def first_offset(self) -> int:
        """The offset of the first record; there must be one."""
        return self._records[0].offset

    def add(self, records: Iterable[Record], now: float) -> None:
        """Take what was read at `now` (monotonic seconds)."""
        if not self._records:
            self._since = now
        for record in records:
            self._records.append(record)
            self.size += record.size

    def full(self, bounds: Bounds) -> bool:
        """Say whether it makes a whole batch."""
        return len(self._records) >= bounds.rows or self.size >= bounds.bytes

    def ripe_at(self, bounds: Bounds) -> float:
        """Return when a batch is to be made of it however small it is."""
        return self._since + bounds.linger

    def take(self, bounds: Bounds) -> list[Record]:
        """Return the first records that fit a batch; a single larger one goes alone."""
        taken: list[Record] = []
        size = 0
        while self._records and len(taken) < bounds.rows:
            if taken and size + self._records[0].size > bounds.bytes:
                break
            record = self._records.popleft()
            size += record.size
            taken.append(record)
        self.size -= size
        return taken


@dataclass(slots=True, eq=False)
class Piece:
    """Some rows that are loaded together, by their place in the batch; a single one counts its failures.

    `doubts` counts failures of which nobody knows whether they are the rows' at all.
    """

    rows: tuple[int, ...]
    attempts: int = 0
    doubts: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class Work:
    """One batch in hand. `records` and `admitted` belong together by index.

    `waits_for` names the destination that stopped it last, "" where only its own pieces wait. `blamed` are the rows
    that a database failed on, alone, while it took another; `lonely`: one fails, and nothing is known that is taken.
    """

    slot: Slot
    kind: Kind
    table: str
    first_offset: int
    last_offset: int
    records: list[Record] = field(default_factory=list)
    admitted: list[Admitted] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    faulty: set[int] = field(default_factory=set)
    blamed: set[int] = field(default_factory=set)
    lonely: bool = False
    buried: bool = False
    receipted: bool = False
    waits_for: str = ""

    def believe(self, record: Record, admitted: Admitted) -> None:
        """Add a row."""
        self.records.append(record)
        self.admitted.append(admitted)

    def refuse(self, record: Record, rejection: Rejection, at: int) -> None:
        """Add a dead letter; `at` is in microseconds since 1970, UTC."""
        self.letters.append(DeadLetter(record, rejection, at))

    def ready(self, start: int = 0) -> None:
        """Begin: everything from row `start` on is one piece, ahead of those there are."""
        if len(self.records) > start:
            self.pieces.insert(0, Piece(tuple(range(start, len(self.records)))))

    def halve(self, piece: Piece) -> None:
        """Have the halves of a piece loaded in its place, next."""
        middle = len(piece.rows) // 2
        self.pieces.remove(piece)
        self.pieces[:0] = [Piece(piece.rows[:middle]), Piece(piece.rows[middle:])]

    def batch(self, piece: Piece) -> Batch:
        """Return what a target is given of a piece."""
        whole = len(piece.rows) == len(self.records)
        first = self.first_offset if whole else self.records[piece.rows[0]].offset
        last = self.last_offset if whole else self.records[piece.rows[-1]].offset
        rows: Sequence[Mapping[str, object]] = [self.admitted[index].row for index in piece.rows]
        return Batch(*self.slot, first, last, self.kind, rows, self.table)  # type: ignore[arg-type]

    def loaded(self, piece: Piece, faults: Mapping[int, RowFault], at: int) -> None:
        """Note that a piece is in the database but for its faulty rows."""
        self.pieces.remove(piece)
        for index, fault in faults.items():
            self._bury(piece.rows[index], Rejection(Cause.DATABASE, fault.reason), at)

    def failed(self, piece: Piece, attempts: int, at: int) -> bool:
        """Note a fault of a row that nobody can name: halve the piece, or count; return whether a single one waits."""
        if len(piece.rows) > 1:
            self.halve(piece)
            return False
        self.pieces.remove(piece)
        piece.attempts += 1
        if piece.attempts >= attempts:
            self._bury(piece.rows[0], Rejection(Cause.UNKNOWN, POISON), at)
            return False
        self.pieces.append(piece)
        return True

    def receipts(self, at: int) -> list[ReceiptRow]:
        """Return what may be confirmed once everything is in the databases."""
        if self.kind not in (Kind.STATE, Kind.IMAGE):
            return []
        return list(self._receipts(at))

    @property
    def rows_loaded(self) -> int:
        """Rows that the database has taken."""
        return len(self.records) - len(self.faulty)

    @property
    def count(self) -> int:
        """Records that it holds, good and bad."""
        return len(self.records) + len(self.letters) - len(self.faulty)

    def _bury(self, index: int, rejection: Rejection, at: int) -> None:
        self.faulty.add(index)
        self.refuse(self.records[index], rejection, at)

    def _receipts(self, at: int) -> Iterator[ReceiptRow]:
        for index, found in enumerate(self.admitted):
            of_image = self.kind is Kind.IMAGE
            row = found.row
            if index in self.faulty or not found.site or (of_image and not row["digest"]):
                continue
            revision = row.get("revision")
            yield ReceiptRow(
                site=found.site,
                tenant=str(row["tenant_id"]),
                study_uid=str(row["study_uid"]),
                series_uid=str(row["series_uid"]),
                sop_uid=str(row["sop_uid"]) if of_image else "",
                digest=str(row["digest"]) if of_image else "",
                transfer_syntax_uid=str(row["transfer_syntax_uid"]) if of_image else "",
                revision=revision if isinstance(revision, int) else 0,
                at=at,
            )
