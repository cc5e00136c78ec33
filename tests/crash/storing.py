"""A modality that keeps book: what it sent, and which of it was answered with success."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian

from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from tests.archives import small_settings
from tests.builders.instances import CT_IMAGE_STORAGE, encode, series
from tests.partners.raw_scu import Aborted, RawScu, Rejected

SYNTAX = str(ExplicitVRLittleEndian)
CONTEXTS = ((CT_IMAGE_STORAGE, (SYNTAX,)),)
SUCCESS = 0x0000
LOST_CONNECTION = (Aborted, Rejected, OSError)


@dataclass(frozen=True)
class Slice:
    """One instance as it travels."""

    sop_uid: str
    data: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the data set bytes."""
        return hashlib.sha256(self.data).hexdigest()


def slices(count: int, size: int = 64, **overrides: object) -> list[Slice]:
    """`count` CT slices of one series, `size` by `size` pixels of 16 bits."""
    pixels = {"Rows": size, "Columns": size, "PixelData": bytes(2 * size * size)}
    return [
        Slice(str(dataset.SOPInstanceUID), encode(dataset, SYNTAX))
        for dataset in series(count, **{**pixels, **overrides})
    ]


class Ledger:
    """Which instances were answered with success. Safe to use from many threads."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, str] = {}
        self.statuses: list[int] = []
        self._changed = threading.Condition()

    def note(self, sent: Slice, status: int) -> None:
        """Write down an answer."""
        with self._changed:
            self.statuses.append(status)
            if status == SUCCESS:
                self.acknowledged[sent.sop_uid] = sent.digest
            self._changed.notify_all()

    def wait_for(self, count: int, timeout: float = 60) -> None:
        """Wait until `count` answers have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.statuses) >= count, timeout)


def send(port: int, batch: Iterable[Slice], ledger: Ledger) -> bool:
    """Store a batch on one association; False when the peer went away before the end."""
    try:
        with RawScu("127.0.0.1", port, contexts=CONTEXTS) as scu:
            for one in batch:
                ledger.note(one, scu.store(CT_IMAGE_STORAGE, one.sop_uid, SYNTAX, one.data))
    except LOST_CONNECTION:
        return False
    return True


@contextmanager
def opened(home: Path) -> Iterator[Archive]:
    """The archive of a home whose rooms may or may not run."""
    archive = Archive.open(settings_of(home), "test")
    try:
        yield archive
    finally:
        archive.close()


def settings_of(home: Path) -> ArchiveSettings:
    """Settings as the started rooms have them."""
    return small_settings(home)


def assert_kept(archive: Archive, acknowledged: dict[str, str]) -> None:
    """Every acknowledged instance is on disk with its digest, indexed, with its events and custody line."""
    with archive.database.read() as cx:
        rows = cx.execute(
            "SELECT v.sop_uid, v.digest, v.blob_path, v.blob_offset, i.version_id FROM version v"
            " JOIN instance i ON i.version_id = v.id"
        ).fetchall()
        events = dict(cx.execute("SELECT sop_uid, group_concat(DISTINCT kind) FROM event GROUP BY sop_uid").fetchall())
        states = cx.execute("SELECT count(*) FROM event WHERE kind = 'state'").fetchone()[0]
        received = {row[0] for row in cx.execute("SELECT sop_uid FROM custody WHERE fact = 'received'").fetchall()}
    indexed = {row["sop_uid"]: row for row in rows}
    for sop_uid, digest in acknowledged.items():
        row = indexed[sop_uid]
        content = (archive.settings.root / row["blob_path"]).read_bytes()[row["blob_offset"] :]
        assert hashlib.sha256(content).hexdigest() == digest == row["digest"]
        assert set(events[sop_uid].split(",")) == {"image", "object"}
        assert sop_uid in received
    assert states > 0 or not acknowledged


def assert_no_row_without_file(archive: Archive) -> None:
    """The index never promises what the disk does not hold, and no half file is in the store."""
    with archive.database.read() as cx:
        rows = cx.execute("SELECT blob_path, file_size FROM version WHERE evicted_at IS NULL").fetchall()
    for row in rows:
        assert (archive.settings.root / row["blob_path"]).stat().st_size == row["file_size"]
