"""fsck: holds the files, the index and the outbox against each other, and mends what can be mended.

It may run beside a working appliance: a file is only called an orphan when it is older than
SETTLE_SECONDS and still without a row. It deletes nothing but bytes that are stored elsewhere.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.archive import index
from appliance.archive.conflicts import version_header
from appliance.archive.custody import Fact, note
from appliance.archive.database import Row
from appliance.archive.layout import DAMAGED
from appliance.archive.removal import Remover
from appliance.archive.room import Archive
from appliance.archive.shelter import Shelter
from appliance.archive.tenants import TenantView
from appliance.errors import ApplianceError, ArchiveError, Unacceptable
from appliance.logs import get_logger
from appliance.model.records import Door, Origin, Result

log = get_logger(__name__)

SETTLE_SECONDS = 60
MICROSECONDS = 1_000_000
UNREADABLE = "unreadable"
Progress = Callable[[int], None]

# What was evicted is not lost: it is proven to be elsewhere.
NOT_HELD = (
    "SELECT sop_uid FROM version WHERE tenant = ? AND standing = 'current' AND blob_path IS NULL AND evicted_at IS NULL"
)
WITHOUT_INSTANCE = (
    "SELECT v.* FROM version v LEFT JOIN instance i"
    " ON i.tenant = v.tenant AND i.sop_uid = v.sop_uid AND i.version_id = v.id"
    " WHERE v.tenant = ? AND v.standing = 'current' AND i.sop_uid IS NULL"
)
WITHOUT_EVENT = (
    "SELECT v.* FROM version v WHERE v.tenant = ? AND v.standing = 'current' AND v.id NOT IN"
    " (SELECT version_id FROM event WHERE kind = 'object' AND version_id IS NOT NULL)"
)
WRONG_COUNT = (
    "SELECT s.study_uid, s.series_uid FROM series s WHERE s.tenant = ? AND s.instance_count <>"
    " (SELECT count(*) FROM instance i WHERE i.tenant = s.tenant AND i.study_uid = s.study_uid"
    "  AND i.series_uid = s.series_uid)"
    " UNION SELECT s.study_uid, '' FROM study s WHERE s.tenant = ?1 AND s.instance_count <>"
    " (SELECT count(*) FROM instance i WHERE i.tenant = s.tenant AND i.study_uid = s.study_uid)"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `subject` is a path below the root, a UID or a table."""

    kind: str
    subject: str
    detail: str
    repaired: bool


@dataclass(slots=True)
class Report:
    """What one run looked at and found."""

    files: int = 0
    versions: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is left to mend."""
        return all(finding.repaired for finding in self.findings)

    def add(self, kind: str, subject: str, detail: str, *, repaired: bool = False) -> None:
        """Append a finding."""
        self.findings.append(Finding(kind, subject, detail, repaired))


def check(archive: Archive, *, repair: bool = False, deep: bool = True, progress: Progress | None = None) -> Report:
    """Check everything; with `repair`, mend what can be. `deep` reads and hashes every byte.

    `progress` is called with 1 per version and per file. Findings: "database", "missing" (a row
    whose file is gone), "unreadable" (never touched: the disk or its rights need mending first),
    "size", "digest", "damaged", "not held" (bytes given up by an earlier repair, never evicted ones), "orphan" (a file
    without a row), "count", "instance", "event". Bytes that are gone or changed cannot be made good here: with `repair`
    their version is marked as not held, so that the sender's next copy takes its place.
    """
    report, step = Report(), progress or (lambda _: None)
    views = [archive.of(tenant) for tenant in archive.tenants()]
    if repair:
        _check_mounted(views)
    _database(archive, report)
    for view in views:
        _versions(view, report, repair=repair, deep=deep, step=step)
        _orphans(view, report, repair=repair, step=step)
        _rows(view, report, repair=repair)
    return report


def _database(archive: Archive, report: Report) -> None:
    with archive.database.read() as cx:
        for row in cx.execute("PRAGMA integrity_check").fetchall():
            if row[0] != "ok":
                report.add("database", "integrity", str(row[0]))
        for row in cx.execute("PRAGMA foreign_key_check").fetchall():
            report.add("database", str(row[0]), f"row {row[1]} refers to a missing row of {row[2]}")


def _check_mounted(views: Sequence[TenantView]) -> None:
    """Refuse to repair an archive of which nothing is there: that is an unmounted disk, not a loss."""
    lost = False
    for view in views:
        for row in _each_version(view):
            if os.path.lexists(view.settings.root / row["blob_path"]):
                return
            lost = True
    if lost:
        raise ArchiveError(
            f"none of the indexed files is below {views[0].settings.root}: nothing is repaired",
            hint="check that the archive's disk is mounted there",
        )


def _versions(archive: TenantView, report: Report, *, repair: bool, deep: bool, step: Progress) -> None:
    for row in _each_version(archive):
        report.versions += 1
        step(1)
        path = archive.settings.root / row["blob_path"]
        fault = _fault(path, row, deep=deep)
        if fault is None or _moved(archive, row):
            continue
        kind, detail = fault
        if repair and kind != UNREADABLE and _release(archive, row, path, deep=deep):
            detail += "; marked as not held, sending it again restores it"
        report.add(kind, row["blob_path"], detail)


def _fault(path: Path, row: Row, *, deep: bool) -> tuple[str, str] | None:
    try:
        size = path.stat().st_size
        if size != row["file_size"]:
            return "size", f"{size} bytes, the index says {row['file_size']}"
        if deep and _digest(path, row["blob_offset"]) != row["digest"]:
            return "digest", "the data set's bytes have changed"
    except FileNotFoundError:
        return "missing", "the file is gone"
    except OSError as error:
        return UNREADABLE, error.strerror or "cannot be read"
    return None


def _release(archive: TenantView, row: Row, path: Path, *, deep: bool) -> bool:
    """Say in the index that the bytes are not held; a damaged file is kept beside, under another name.

    The row was read a while ago. Under the write lock, in which no door can record a file, it is
    read again and its file judged again; and in the shelter alone, for a door could otherwise put a file
    where one is missing, and have that renamed before it has recorded it.
    """
    with Shelter(archive.settings.home).alone(), archive.database.write() as cx:
        now = cx.execute("SELECT * FROM version WHERE id = ?", (row["id"],)).fetchone()
        if (now["blob_path"], now["blob_generation"]) != (row["blob_path"], row["blob_generation"]):
            return False
        if _fault(path, now, deep=deep) is None:
            return False
        try:
            path.rename(path.with_name(path.name + DAMAGED))
        except FileNotFoundError:
            log.info("nothing left to keep of a lost file", version=row["id"])
        except OSError:
            return False
        cx.execute("UPDATE version SET blob_kind = 'evicted', blob_path = NULL WHERE id = ?", (row["id"],))
    return True


def _moved(archive: TenantView, row: Row) -> bool:
    """Say whether the bytes have gone elsewhere since the row was read: evicted, or stored anew."""
    with archive.database.read() as cx:
        now = cx.execute("SELECT blob_path, blob_generation FROM version WHERE id = ?", (row["id"],)).fetchone()
    return (now["blob_path"], now["blob_generation"]) != (row["blob_path"], row["blob_generation"])


def _each_version(archive: TenantView) -> Iterator[Row]:
    last = 0
    while True:
        with archive.database.read() as cx:
            rows = cx.execute(
                "SELECT * FROM version WHERE tenant = ? AND id > ? AND blob_path IS NOT NULL ORDER BY id LIMIT 500",
                (archive.settings.tenant, last),
            ).fetchall()
        if not rows:
            return
        yield from rows
        last = rows[-1]["id"]


def _orphans(archive: TenantView, report: Report, *, repair: bool, step: Progress) -> None:
    root = archive.settings.root
    for path in _files(root / archive.settings.tenant):
        report.files += 1
        step(1)
        relative = str(path.relative_to(root))
        if _recorded(archive, relative) or _young(archive, path):
            continue
        if path.name.endswith(DAMAGED):
            report.add("damaged", relative, "kept by an earlier repair; remove it when it is of no more use")
            continue
        repaired, detail = _adopt(archive, path, relative) if repair else (False, "no index row")
        report.add("orphan", relative, detail, repaired=repaired)


def _files(directory: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(directory, followlinks=False):
        for name in sorted(names):
            yield Path(folder, name)


def _young(archive: TenantView, path: Path) -> bool:
    try:
        changed = path.stat().st_ctime_ns // 1000
    except FileNotFoundError:
        return True
    return archive.clock.now() - changed < SETTLE_SECONDS * MICROSECONDS


def _adopt(archive: TenantView, path: Path, relative: str) -> tuple[bool, str]:
    """Index an orphan where it lies; drop it only once its bytes are held under another name."""
    remover = Remover(archive.settings, archive.database)
    seen = remover.see(relative)
    try:
        with path.open("rb") as file:
            stored = archive.ingest.receive_file(file, Origin(Door.IMPORT, "fsck"))
    except Unacceptable as error:
        return False, f"not an object that can be indexed: {error.reason}"
    except (ApplianceError, OSError) as error:
        return False, f"could not be adopted: {error}"
    remover.remove([] if seen is None else [seen])
    if _is_deleted(archive, stored.version_id):
        return True, "of a deleted instance: removed"
    return True, "held under another name" if stored.result is Result.DUPLICATE else "indexed"


def _is_deleted(archive: TenantView, version_id: int) -> bool:
    with archive.database.read() as cx:
        row = cx.execute("SELECT deleted_at FROM version WHERE id = ?", (version_id,)).fetchone()
    return row["deleted_at"] is not None


def _recorded(archive: TenantView, relative: str) -> bool:
    with archive.database.read() as cx:
        return cx.execute("SELECT 1 FROM version WHERE blob_path = ?", (relative,)).fetchone() is not None


def _rows(archive: TenantView, report: Report, *, repair: bool) -> None:
    tenant = archive.settings.tenant
    gone, bare, silent, wrong = (
        _select(archive, statement) for statement in (NOT_HELD, WITHOUT_INSTANCE, WITHOUT_EVENT, WRONG_COUNT)
    )
    for row in gone:
        report.add("not held", row["sop_uid"], "its bytes are not on this box; sending it again restores them")
    done: set[int] = set()
    for kind, rows in (("instance", bare), ("event", silent)):
        for row in rows:
            if row["id"] not in done:
                repaired = repair and _announce_again(archive, row)
                report.add(kind, row["sop_uid"], f"a current version has no {kind} row", repaired=repaired)
                done.add(row["id"])
    for row in wrong:
        if repair:
            with archive.database.write() as cx:
                index.recount(cx, tenant, row["study_uid"], row["series_uid"])
        subject = row["series_uid"] or row["study_uid"]
        report.add("count", subject, "the stored number of instances is wrong", repaired=repair)


def _select(archive: TenantView, statement: str) -> list[Row]:
    """One snapshot per question: a long one would keep the log from being checkpointed."""
    with archive.database.read() as cx:
        return cx.execute(statement, (archive.settings.tenant,)).fetchall()


def _announce_again(archive: TenantView, version: Row) -> bool:
    try:
        header = version_header(archive.settings, version)
    except (ArchiveError, OSError, ValueError):
        return False
    origin = Origin(Door(version["door"]), version["source_ae"], version["source_address"])
    uids = (header.study_uid, header.series_uid, header.sop_uid)
    with archive.database.write() as cx:
        now = archive.clock.now()
        syntax = version["transfer_syntax_uid"]
        archive.register.announce(cx, version["id"], header, syntax, origin, now)
        note(cx, archive.settings.tenant, uids, version["digest"], Fact.REPAIRED, "fsck", "", now)
    return True


def _digest(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return hashlib.file_digest(file, "sha256").hexdigest()
