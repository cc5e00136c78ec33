"""What a copied database says has to be in a snapshot, in the order of paths; and where a missing file has gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from appliance.archive.custody import Fact
from appliance.archive.database import Connection, Database, frozen
from appliance.care.backup.manifest import OBJECTS, QUARANTINE

VERSIONS: Final = """
SELECT id, blob_path AS path, blob_offset AS offset, file_size AS size, digest FROM version
WHERE blob_path IS NOT NULL ORDER BY blob_path
"""
# The order of the paths, which is not that of the tenants: "a-b/x" comes before "a/x".
QUARANTINED: Final = """
SELECT id, tenant || '/' || path AS path, 0 AS offset, size, '' AS digest FROM quarantine
WHERE path IS NOT NULL ORDER BY 2
"""
COUNTED: Final = """
SELECT (SELECT count(*) FROM version WHERE blob_path IS NOT NULL)
  + (SELECT count(*) FROM quarantine WHERE path IS NOT NULL)
"""
VERSION_NOW: Final = "SELECT blob_path AS path, evicted_at FROM version WHERE id = ?"
QUARANTINE_NOW: Final = "SELECT tenant || '/' || path AS path, NULL AS evicted_at FROM quarantine WHERE id = ?"

# An eviction is one row, its line in the ledger, the proofs it rested on, and deliveries that are made or given up.
EVICTED: Final = "SELECT * FROM version WHERE id = ?"
PROOFS: Final = "SELECT * FROM confirmation WHERE version_id = ?"
LINES: Final = (
    "SELECT tenant, study_uid, series_uid, sop_uid, digest, fact, party, detail, at FROM custody"
    " WHERE tenant = ? AND sop_uid = ? AND digest = ? AND fact = ? AND at >= ?"
)
DELIVERIES: Final = """
SELECT d.* FROM delivery d JOIN event e ON e.id = d.event_id WHERE e.version_id = ? AND e.kind = 'object'
"""
KNOWN: Final = "SELECT 1 FROM event WHERE id = ?"
LET_GO: Final = (
    "UPDATE version SET blob_kind = 'evicted', blob_path = NULL, evicted_at = ?, blob_generation = ? WHERE id = ?"
)


class Kind(StrEnum):
    """Where in the home a wanted file lies; in the order of the manifest."""

    OBJECT = OBJECTS
    QUARANTINED = QUARANTINE


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that the database names: `path` below the home, `offset` of the data set, `row` number."""

    kind: Kind
    row: int
    path: str
    offset: int
    size: int
    digest: str


class Gone(StrEnum):
    """What became of a file that is not there as the copied database says."""

    EVICTED = "evicted"
    CHANGED = "changed"
    LOST = "lost"


def wanted(index: Path) -> Iterator[Wanted]:
    """Yield every file that a copied index names; nothing is held in memory. Raises ArchiveError."""
    with frozen(index) as cx:
        for kind, statement in ((Kind.OBJECT, VERSIONS), (Kind.QUARANTINED, QUARANTINED)):
            for row in cx.execute(statement):
                path = f"{kind.value}/{row['path']}"
                yield Wanted(kind, row["id"], path, row["offset"], row["size"], row["digest"])


def count(index: Path) -> int:
    """Return how many files a copied index names."""
    with frozen(index) as cx:
        return int(cx.execute(COUNTED).fetchone()[0])


def whereabouts(live: Database, file: Wanted) -> Gone:
    """Ask the living database why a file is not what the copied one says. Raises ArchiveError."""
    statement = VERSION_NOW if file.kind is Kind.OBJECT else QUARANTINE_NOW
    with live.read() as cx:
        now = cx.execute(statement, (file.row,)).fetchone()
    if now is not None and now["path"] is not None and f"{file.kind.value}/{now['path']}" == file.path:
        return Gone.LOST
    return Gone.EVICTED if now is not None and now["path"] is None and now["evicted_at"] is not None else Gone.CHANGED


def let_go(live: Database, index: Path, versions: Sequence[int], since: int) -> list[str]:
    """Record in a copied index that versions were evicted since it was copied, as the living one does.

    Row, deliveries, proofs and line of the ledger are taken over. Durable on return. Returns what is evicted no more:
    it has come back, or was deleted. Raises ArchiveError.
    """
    copy, back = Database(index), []
    try:
        for version in versions:
            with live.read() as cx:
                row = cx.execute(EVICTED, (version,)).fetchone()
                if row is None or row["evicted_at"] is None:
                    back.append(f"version {version}")
                    continue
                proofs = cx.execute(PROOFS, (version,)).fetchall()
                about = (row["tenant"], row["sop_uid"], row["digest"], Fact.EVICTED.value, since)
                lines = cx.execute(LINES, about).fetchall()
                deliveries = cx.execute(DELIVERIES, (version,)).fetchall()
            with copy.write() as cx:
                cx.execute(LET_GO, (row["evicted_at"], row["blob_generation"], version))
                known = [one for one in deliveries if cx.execute(KNOWN, (one["event_id"],)).fetchone() is not None]
                for table, rows in (("confirmation", proofs), ("custody", lines), ("delivery", known)):
                    for one in rows:
                        _insert(cx, table, one)
        copy.checkpoint(truncate=True)
    finally:
        copy.close()
    return back


def _insert(cx: Connection, table: str, row: Any) -> None:
    names = list(row.keys())
    places = ", ".join("?" for _ in names)
    cx.execute(f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) VALUES ({places})", tuple(row))
