"""Recall: the bytes of an evicted object come back from where they were proven to be, and are held again.

They are taken only if digest and transfer syntax are those of the version. Nothing else changes, no index
row and no event; only dead letters of the object are tried again. The order of writes is that of ingest: bytes
first, then the transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from appliance.archive import custody
from appliance.archive.arrival import SpooledObject
from appliance.archive.committer import Committer
from appliance.archive.custody import Fact
from appliance.archive.database import Connection, Database, Row
from appliance.archive.files import DirectoryTree, fsync
from appliance.archive.group2 import ByteStream, Labels, NotPart10, read_labels
from appliance.archive.index import Blob, move_blob
from appliance.archive.placement import Placement
from appliance.archive.register import revive
from appliance.archive.removal import Remover
from appliance.archive.reserve import Reserve
from appliance.archive.settings import ArchiveSettings
from appliance.archive.shelter import Shelter
from appliance.archive.spool import Spool
from appliance.clock import Clock
from appliance.errors import ApplianceError, NotFound, Unacceptable
from appliance.failpoints import failpoint
from appliance.model.records import Door, Header, Origin

CHUNK_BYTES = 256 << 10

WANTED = "SELECT * FROM version WHERE id = ? AND tenant = ?"


class NotTheSame(Unacceptable):
    """What came back is not what went: nothing of it was kept."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An evicted version and what its bytes must be. `size` is that of the file it had."""

    version_id: int
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    digest: str
    length: int
    size: int
    source_ae: str


class Recall:
    """Takes evicted objects back in. Safe to use from many threads."""

    def __init__(
        self, settings: ArchiveSettings, spool: Spool, database: Database, committer: Committer, clock: Clock
    ) -> None:
        """Wire the parts of one archive together."""
        self._settings = settings
        self._spool = spool
        self._database = database
        self._committer = committer
        self._clock = clock
        self._reserve = Reserve(settings.home, settings.reserve_bytes)
        self._remover = Remover(settings, database)
        tree = DirectoryTree(settings.root)
        self._placement = Placement(settings.root, settings.tenant, tree, Shelter(settings.home))

    def wanted(self, version_id: int) -> Wanted | None:
        """Return what to fetch for a version; None when its bytes are here, or are not to be had. Raises NotFound."""
        with self._database.read() as cx:
            row = self._row(cx, version_id)
        return _wanted(row) if _is_away(row) else None

    def store(self, wanted: Wanted, stream: ByteStream, party: str, heed: Callable[[int], None]) -> bool:
        """Store the DICOM file on `stream` as the bytes of a version again; return whether it was needed.

        Durable on return. `heed` is told of every block and may raise to end it. `party` is whom it came from.
        Raises NotTheSame, DiskFull, ArchiveFailed, and what the stream and `heed` raise: nothing is kept then.
        """
        try:
            labels, start = read_labels(stream)
        except NotPart10 as error:
            raise NotTheSame(f"{party} gave something that is no DICOM file") from error
        if labels.transfer_syntax_uid != wanted.transfer_syntax_uid:
            raise NotTheSame(f"{party} gave these images in another transfer syntax than they had here")
        spooled = self._spooled(wanted)
        try:
            _fill(spooled, start, stream, wanted.length, heed)
            if (spooled.digest, spooled.length) != (wanted.digest, wanted.length):
                raise NotTheSame(f"{party} gave other bytes than those that were confirmed")
            fsync(spooled.descriptor)
            return self._record(wanted, spooled, party)
        finally:
            spooled.discard()

    def _spooled(self, wanted: Wanted) -> SpooledObject:
        labels = Labels(wanted.sop_class_uid, wanted.sop_uid, wanted.transfer_syntax_uid)
        origin = Origin(Door.IMPORT, wanted.source_ae)
        return SpooledObject(self._spool, self._reserve, labels, origin, self._settings.max_object_bytes)

    def _record(self, wanted: Wanted, spooled: SpooledObject, party: str) -> bool:
        header = Header(wanted.study_uid, wanted.series_uid, wanted.sop_uid, wanted.sop_class_uid)
        with ExitStack() as afterwards, ExitStack() as until_recorded:
            blob = self._placement.place(spooled, header, until_recorded)
            placed = [file for file in (self._remover.see(blob.path),) if file is not None]
            try:
                needed = self._committer.run(lambda cx: self._commit(cx, wanted, blob, party))
            except ApplianceError as error:
                if error.retryable:
                    afterwards.callback(self._remover.remove, placed)  # disk full, busy: nothing is kept
                raise
            if not needed:
                afterwards.callback(self._remover.remove, placed)  # a door, or another room, was faster
                return False
            failpoint("recall.after_commit")
            return True

    def _commit(self, cx: Connection, wanted: Wanted, blob: Blob, party: str) -> bool:
        row, now = self._row(cx, wanted.version_id), self._clock.now()
        if not _is_away(row):
            return False
        move_blob(cx, wanted.version_id, blob)
        revive(cx, self._settings.tenant, row, now)  # a sink that came after the eviction could not have it
        uids = (wanted.study_uid, wanted.series_uid, wanted.sop_uid)
        custody.note(cx, self._settings.tenant, uids, wanted.digest, Fact.RECALLED, party, "", now)
        failpoint("recall.before_commit")
        return True

    def _row(self, cx: Connection, version_id: int) -> Row:
        row: Row | None = cx.execute(WANTED, (version_id, self._settings.tenant)).fetchone()
        if row is None:
            raise NotFound(f"there is no version {version_id}")
        return row


def _is_away(row: Row) -> bool:
    return row["blob_path"] is None and row["evicted_at"] is not None and row["deleted_at"] is None


def _fill(spooled: SpooledObject, start: bytes, stream: ByteStream, most: int, heed: Callable[[int], None]) -> None:
    """Write the data set; what is longer than expected is read no further."""
    block = start
    while block and spooled.length <= most:
        spooled.write(block)
        heed(len(block))
        block = stream.read(CHUNK_BYTES)


def _wanted(row: Row) -> Wanted:
    names = ("study_uid", "series_uid", "sop_uid", "sop_class_uid", "transfer_syntax_uid", "digest", "source_ae")
    values = {name: row[name] for name in names}
    return Wanted(version_id=row["id"], length=row["blob_length"], size=row["file_size"], **values)
