"""Doubts: whether a database is ill, or one row makes it look so every time.

A database that answers "internal error" is waited for. If it says so of one row for ever while it takes all
others, waiting would block the row's partition for ever. What decides is an experiment: right after the failure a row
that the same table has taken before is loaded once more, which changes nothing. Only while that one passes, the failure
counts against the row that failed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from appliance.central.batches import Piece, Work
from appliance.central.targets import Batch, RowFault, Target

# So often a batch fails as a whole before its halves are tried, while nothing is known of its table.
PATIENCE: Final = 2
# More rows of one batch are not to blame, however they fail: then it is the database after all.
MOST_TO_BLAME: Final = 20
MOST_KEPT: Final = 1024

_ANYBODY: Final = ""


class Proofs:
    """The last row that each table has taken of each tenant. One thread uses it."""

    def __init__(self) -> None:
        """Know of nothing yet."""
        self._kept: OrderedDict[tuple[str, str], Batch] = OrderedDict()

    def keep(self, batch: Batch, faults: Mapping[int, RowFault]) -> None:
        """Remember the rows of a batch that was loaded but for its faulty ones."""
        latest = {str(row["tenant_id"]): row for index, row in enumerate(batch.rows) if index not in faults}
        for tenant, row in latest.items():
            for name in (tenant, _ANYBODY):
                self._kept[batch.table, name] = replace(batch, rows=(row,))
                self._kept.move_to_end((batch.table, name))
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def find(self, batch: Batch) -> Batch | None:
        """Return what the table of a batch is known to take: of one of the same tenants, else of any; or None.

        Tables may be spread by tenant: another one's rows may lie on a machine that is well.
        """
        tenants = dict.fromkeys(str(row["tenant_id"]) for row in batch.rows)
        found = (self._kept.get((batch.table, tenant)) for tenant in (*tenants, _ANYBODY))
        return next((proof for proof in found if proof is not None), None)


class Doubts:
    """Decides whose failure it was. One thread uses it."""

    def __init__(self) -> None:
        """Know of nothing yet."""
        self._proofs = Proofs()

    def took(self, batch: Batch, faults: Mapping[int, RowFault]) -> None:
        """Remember what was taken."""
        self._proofs.keep(batch, faults)

    def blames_rows(self, work: Work, piece: Piece, target: Target, now: int) -> bool:
        """Say whether a failure to load a piece is that of a row in it, by asking the database.

        `now` (microseconds) makes the question a new one. Where nothing is known that the table takes, the piece is
        halved in time, or put behind the others.
        """
        batch = work.batch(piece)
        proof = self._proofs.find(batch)
        work.lonely = proof is None and len(piece.rows) == 1
        if proof is None:
            self._make_room(work, piece)
            return False
        try:
            if target.load(replace(proof, again=now)):
                return False
        except Exception:  # boundary: whatever it is, the database fails on a row that it has taken before
            return False
        if len(piece.rows) == 1:
            work.blamed.update(piece.rows)
        return len(work.blamed) <= MOST_TO_BLAME

    def _make_room(self, work: Work, piece: Piece) -> None:
        piece.doubts += 1
        if len(piece.rows) == 1:
            work.pieces.remove(piece)
            work.pieces.append(piece)
        elif piece.doubts >= PATIENCE:
            work.halve(piece)
