"""Eviction: the bytes of an object leave the box once others are proven to hold the same; row and custody stay.

The rows are marked first, in one transaction that judges every guard anew (invariant 13), and only
then the files go. A crash in between leaves a file without a row, which fsck takes back as held;
never a row without a file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.archive import custody, evictable
from appliance.archive.custody import Fact
from appliance.archive.database import Connection, Database, Row
from appliance.archive.removal import Remover, Seen
from appliance.clock import Clock
from appliance.failpoints import failpoint
from appliance.logs import get_logger

MICROSECONDS = 1_000_000
DAY = 86_400 * MICROSECONDS
# A view is noted once an hour at most: who looked an hour ago may still be looking.
IN_USE = 2 * 3600 * MICROSECONDS
HORIZON = 2 * 3600 * MICROSECONDS
# Between two transactions the doors get their turn.
ROWS = 200
PARTY = "retention"
BURIED = "evicted before delivery"

MARK = """
UPDATE version SET blob_kind = 'evicted', blob_path = NULL, evicted_at = ?, blob_generation = blob_generation + 1
WHERE id = ?
"""

PROOFS = """
SELECT c.version_id, c.sink, c.kind, c.at FROM confirmation c JOIN sink s ON s.name = c.sink
WHERE c.version_id IN (SELECT value FROM json_each(?)) AND c.level = 'bytes' AND s.active = 1
"""

# Of sinks that are not required: what they have not had they will not get, and nothing is to be read back.
OBJECTS = "(SELECT id FROM event WHERE version_id IN (SELECT value FROM json_each(?)) AND kind = 'object')"
BURY = (
    "UPDATE delivery SET state = 'buried', reason = ?, updated_at = ? WHERE state IN ('pending', 'dead')"
    f" AND event_id IN {OBJECTS}"
)
NOTHING_TO_PROVE = f"UPDATE delivery SET proof_due = NULL WHERE proof_due IS NOT NULL AND event_id IN {OBJECTS}"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Measure:
    """How much of a study is held, how much of that may go now, and how many objects each guard keeps."""

    objects: int = 0
    bytes: int = 0
    evictable_objects: int = 0
    evictable_bytes: int = 0
    kept: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Evicted:
    """What went."""

    objects: int = 0
    bytes: int = 0


class Evictor:
    """Evicts study by study; safe to use from several processes at once."""

    def __init__(self, database: Database, tenant: str, remover: Remover, clock: Clock) -> None:
        """Take the database, the tenant, the remover of files, and the clock."""
        self._database = database
        self._tenant = tenant
        self._remover = remover
        self._clock = clock

    def measure(self, study_uid: str, keep_days: float) -> Measure:
        """Judge a study without changing anything. Whether its files are there is not looked at."""
        with self._database.read() as cx:
            row = cx.execute(evictable.MEASURED, self._values(study_uid, keep_days)).fetchone()
        kept = {name: int(count) for name, count in zip(evictable.GUARDS, row[4:], strict=True) if count}
        return Measure(row[0], row[1], row[2], row[3], kept)

    def stale(self, study_uid: str, keep_days: float) -> list[tuple[int, int]]:
        """Return (version, bytes) of what only the age of a read-back keeps here."""
        with self._database.read() as cx:
            rows = cx.execute(evictable.STALE, self._values(study_uid, keep_days)).fetchall()
        return [(int(row[0]), int(row[1])) for row in rows]

    def evict(self, study_uid: str, keep_days: float) -> Evicted:
        """Let go of everything of a study that may go; return how much that was.

        On return the rows are durably marked and the files are gone. Raises ArchiveFailed, DiskFull, Busy.
        """
        total, after = Evicted(), 0
        if not self._may_go(study_uid, keep_days):
            return total
        while True:
            found, gone = self._round(study_uid, keep_days, after)
            self._unlink(gone)
            total = Evicted(total.objects + len(gone), total.bytes + sum(one.size for one in gone))
            if len(found) < ROWS:
                return total
            after = int(found[-1]["id"])

    def _may_go(self, study_uid: str, keep_days: float) -> bool:
        """Say whether anything may go, without the write lock: most studies of a long look keep everything."""
        values = {**self._values(study_uid, keep_days), "after": 0, "rows": 1}
        with self._database.read() as cx:
            return cx.execute(evictable.EVICTABLE, values).fetchone() is not None

    def _round(self, study_uid: str, keep_days: float, after: int) -> tuple[list[Row], list[Seen]]:
        """Mark the next rows; return what the guards let go, and the files of what was marked."""
        with self._database.write() as cx:
            values = self._values(study_uid, keep_days)
            found = cx.execute(evictable.EVICTABLE, {**values, "after": after, "rows": ROWS}).fetchall()
            seen = {row["id"]: self._whole(row) for row in found}
            chosen = [row for row in found if seen[row["id"]] is not None]
            if chosen:
                self._mark(cx, study_uid, chosen, int(values["now"]))
            failpoint("retention.before_commit")
        failpoint("retention.after_commit")
        return found, [file for file in seen.values() if file is not None]

    def _mark(self, cx: Connection, study_uid: str, chosen: Sequence[Row], now: int) -> None:
        versions = f"[{', '.join(str(row['id']) for row in chosen)}]"
        proofs: dict[int, list[str]] = {}
        for version, sink, kind, at in cx.execute(PROOFS, (versions,)).fetchall():
            proofs.setdefault(version, []).append(f"{kind} of {sink} at {at}")
        for row in chosen:
            cx.execute(MARK, (now, row["id"]))
            uids = (study_uid, row["series_uid"], row["sop_uid"])
            detail = "; ".join(sorted(proofs.get(row["id"], ())))
            custody.note(cx, self._tenant, uids, row["digest"], Fact.EVICTED, PARTY, detail, now)
        cx.execute(BURY, (BURIED, now, versions))
        cx.execute(NOTHING_TO_PROVE, (versions,))

    def _whole(self, row: Row) -> Seen | None:
        """Return the file if it is there in full: what is lost or damaged is no case of eviction but of fsck."""
        file = self._remover.see(row["blob_path"])
        return file if file is not None and file.size == row["file_size"] else None

    def _unlink(self, files: Sequence[Seen]) -> None:
        """Remove the files of rows that are marked, and the directories that this leaves empty."""
        for directory in self._remover.remove(files):
            self._tidy(directory)

    def _tidy(self, directory: Path) -> None:
        """Remove the directories of a series and of its study that are empty now; a door makes them anew."""
        for one in (directory, directory.parent):
            try:
                os.rmdir(one)
            except OSError:
                return

    def _values(self, study_uid: str, keep_days: float) -> dict[str, int | str]:
        now = self._clock.now()
        return {
            "tenant": self._tenant,
            "study_uid": study_uid,
            "now": now,
            "fresh": now - DAY,
            "in_use": now - IN_USE,
            "horizon": now + HORIZON,
            "young": now - round(keep_days * DAY),
        }
