"""Ingest: the one use case behind every door (C-STORE, STOW-RS, import).

The order is the promise. Bytes first: the file is fsynced, renamed into place, and every
directory that changed is fsynced. Then one transaction: index rows, events, deliveries and the
custody line together. Only then does the caller hear of success. A crash in between leaves at most
a file without a row, which fsck repairs, and never a row without a file.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import IO

from appliance.archive.arrival import SpooledObject
from appliance.archive.committer import Committer
from appliance.archive.database import Connection, Database, Row
from appliance.archive.files import DirectoryTree, fsync
from appliance.archive.group2 import ByteStream, Labels, NotPart10, read_labels
from appliance.archive.header import HeaderError, read_header
from appliance.archive.index import Blob, Content, find_version
from appliance.archive.placement import Placement
from appliance.archive.quarantine import Quarantine
from appliance.archive.register import Register
from appliance.archive.removal import Remover, Seen
from appliance.archive.reserve import Reserve
from appliance.archive.settings import ArchiveSettings
from appliance.archive.shelter import Shelter
from appliance.archive.spool import Spool
from appliance.errors import ApplianceError, ArchiveFailed, Misidentified, Unacceptable, Unparseable
from appliance.failpoints import failpoint
from appliance.logs import get_logger, writes_debug
from appliance.model.records import Header, Origin, Result, Stored
from appliance.model.uid import derive_trace_id

CHUNK_BYTES = 1 << 20

log = get_logger(__name__)

# Raises an ApplianceError for a data set that its sender may not store.
Check = Callable[[Header], None]


def _no_check(header: Header) -> None:
    """Let everything be stored."""


class Arrival:
    """One object being received. Exactly one of `finish` and `discard` ends it."""

    def __init__(
        self, ingest: Ingest, spooled: SpooledObject, *, labels_bind: bool, study_uid: str = "",
        check: Check = _no_check,
    ) -> None:  # fmt: skip
        """Made by Ingest.begin. `labels_bind`: the sender's UIDs are a claim to be checked; so is `study_uid`."""
        self._ingest = ingest
        self._spooled = spooled
        self._labels_bind = labels_bind
        self._study_uid = study_uid
        self._check = check

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append data set bytes as transferred; nothing is durable yet.

        Raises DiskFull, TooLarge or ArchiveFailed; the arrival must then be discarded.
        """
        self._spooled.write(data)

    def finish(self) -> Stored:
        """Store the object. On return it is durable: bytes, index, events, custody.

        Raises Unparseable or Misidentified (the bytes are then in quarantine, quota permitting),
        DiskFull (nothing is kept), ArchiveFailed (answer no success; restart the process).
        """
        try:
            return self._ingest.store(
                self._spooled, labels_bind=self._labels_bind, study_uid=self._study_uid, check=self._check
            )
        finally:
            self._spooled.discard()

    def discard(self) -> None:
        """Forget the object. Safe to repeat."""
        self._spooled.discard()


class Ingest:
    """Takes objects in, one call at a time per arrival; safe to use from many threads."""

    def __init__(
        self, settings: ArchiveSettings, database: Database, committer: Committer, spool: Spool,
        register: Register, quarantine: Quarantine, failed: threading.Event | None = None,
    ) -> None:  # fmt: skip
        """Wire the parts of one archive together; `failed` is shared by all that write to the same disk."""
        self._settings = settings
        self._database = database
        self._committer = committer
        self._spool = spool
        self._register = register
        self._quarantine = quarantine
        self._failed = failed or threading.Event()
        self._reserve = Reserve(settings.home, settings.reserve_bytes)
        self._remover = Remover(settings, database)
        self._placement = Placement(
            settings.root, settings.tenant, DirectoryTree(settings.root), Shelter(settings.home)
        )

    def begin(self, origin: Origin, *, transfer_syntax_uid: str, sop_class_uid: str, sop_uid: str) -> Arrival:
        """Start receiving an object under the UIDs that the command names. Raises DiskFull, ArchiveFailed."""
        labels = Labels(sop_class_uid, sop_uid, transfer_syntax_uid)
        return Arrival(self, self._spooled(labels, origin), labels_bind=True)

    def receive_file(
        self, stream: ByteStream, origin: Origin, *, study_uid: str = "", check: Check = _no_check
    ) -> Stored:
        """Store a DICOM file (PS3.10) read from `stream`; durable on return.

        `study_uid`: the one study that is allowed, any if empty; another one raises Misidentified
        and nothing is kept. `check` may refuse a data set that could be read; what it raises comes out here, and
        nothing is kept. Our own group 2 replaces the file's; the data set keeps its bytes. Raises as Arrival does,
        and Unacceptable when the stream is no DICOM file at all (nothing is then kept).
        """
        try:
            labels, start = read_labels(stream)
        except NotPart10 as error:
            raise Unacceptable(str(error), hint="send DICOM files with preamble and group 2") from error
        arrival = Arrival(self, self._spooled(labels, origin), labels_bind=False, study_uid=study_uid, check=check)
        try:
            arrival.write(start)
            while chunk := stream.read(CHUNK_BYTES):
                arrival.write(chunk)
            return arrival.finish()
        finally:
            arrival.discard()

    def store(
        self, spooled: SpooledObject, *, labels_bind: bool, study_uid: str = "", check: Check = _no_check
    ) -> Stored:
        """Carry a complete spooled object through every step; see Arrival.finish.

        After one ArchiveFailed every later call fails too: the disk has lied once, and only a
        fresh process that reads what is really there may promise anything again.
        """
        self._check_sound()
        try:
            return self._store(spooled, labels_bind=labels_bind, study_uid=study_uid, check=check)
        except ArchiveFailed:
            self._failed.set()
            raise

    def _store(self, spooled: SpooledObject, *, labels_bind: bool, study_uid: str, check: Check) -> Stored:
        header = self._identify(spooled, labels_bind=labels_bind)
        if study_uid and header.study_uid != study_uid:
            raise Misidentified("the data set belongs to another study than the request names")
        check(header)
        labels = spooled.labels
        known, damaged = self._known(header.sop_uid, spooled.digest, labels.transfer_syntax_uid), None
        if known is not None and not self._placement.holds_bytes(known):
            damaged = self._damaged(known)
        elif known is not None:
            blob = Blob(known["blob_path"], known["blob_offset"], known["blob_length"])
            duplicate = self._record_duplicate(self._content(header, spooled, blob), self._placement.holds)
            if duplicate is not None:
                return duplicate
        true_labels = Labels(header.sop_class_uid, header.sop_uid, labels.transfer_syntax_uid)
        if labels != true_labels:
            spooled.relabel(true_labels)
        failpoint("ingest.before_fsync")
        _fsync(spooled.descriptor)
        failpoint("ingest.after_fsync")
        with ExitStack() as afterwards, ExitStack() as until_recorded:
            blob = self._placement.place(spooled, header, until_recorded)
            return self._record(self._content(header, spooled, blob), damaged, afterwards)

    def _check_sound(self) -> None:
        if self._failed.is_set():
            raise ArchiveFailed("the disk failed earlier in this process", hint="the process must restart")

    def _spooled(self, labels: Labels, origin: Origin) -> SpooledObject:
        self._check_sound()
        return SpooledObject(self._spool, self._reserve, labels, origin, self._settings.max_object_bytes)

    def _identify(self, spooled: SpooledObject, *, labels_bind: bool) -> Header:
        labels = spooled.labels
        try:
            header = self._read_header(spooled)
        except HeaderError as error:
            self._quarantine.keep(spooled, str(error))
            raise Unparseable(str(error), hint="appliance quarantine list shows it") from error
        claimed = (labels.sop_class_uid, labels.sop_uid)
        if labels_bind and claimed != (header.sop_class_uid, header.sop_uid):
            reason = "the command names another SOP Class or Instance UID than the data set"
            self._quarantine.keep(spooled, reason)
            raise Misidentified(reason, hint="appliance quarantine list shows it")
        return header

    def _read_header(self, spooled: SpooledObject) -> Header:
        file: IO[bytes]
        with open(spooled.descriptor, "rb", closefd=False) as file:
            return read_header(
                file,
                spooled.offset,
                spooled.length,
                spooled.labels.transfer_syntax_uid,
                assumed_charset=spooled.origin.assumed_charset,
                max_nesting=self._settings.max_nesting,
                max_inflated=self._settings.max_inflated_bytes,
            )

    def _known(self, sop_uid: str, digest: str, syntax: str) -> Row | None:
        with self._database.read() as cx:
            return find_version(cx, self._settings.tenant, sop_uid, digest, syntax)

    def _content(self, header: Header, spooled: SpooledObject, blob: Blob) -> Content:
        return Content(
            header=header,
            transfer_syntax_uid=spooled.labels.transfer_syntax_uid,
            digest=spooled.digest,
            trace_id=derive_trace_id(self._settings.tenant, header.sop_uid, spooled.digest),
            blob=blob,
            origin=spooled.origin,
        )

    def _damaged(self, known: Row) -> Seen | None:
        """Return the file of a version whose bytes are not in it, None if it has let go of that file meanwhile.

        Evicted or deleted, its name may be that of another content by now.
        """
        seen = self._remover.see(known["blob_path"]) if known["blob_path"] else None
        now = self._known(known["sop_uid"], known["digest"], known["transfer_syntax_uid"])
        return seen if now is not None and now["blob_path"] == known["blob_path"] else None

    def _record(self, content: Content, damaged: Seen | None, afterwards: ExitStack) -> Stored:
        """Commit an object whose file has been placed; `afterwards` a file that is not needed is withdrawn.

        `damaged`: the file of the version with this content, if that was found damaged just now.
        """
        path = content.blob.path
        placed = self._remover.see(path)
        distrusted = {path} if damaged is None else {path, damaged.path}

        def holds(known: Row) -> bool:
            return known["blob_path"] not in distrusted and self._placement.holds(known)

        try:
            stored = self._committer.run(lambda cx: self._register.record(cx, content, holds))
        except ApplianceError as error:
            if error.retryable and placed is not None:
                afterwards.callback(self._remover.remove, [placed])  # refused for now (disk full, busy)
            raise
        if stored.result is Result.DUPLICATE and placed is not None:
            # Another door committed the same bytes in the meantime, or somebody has deleted them.
            afterwards.callback(self._remover.remove, [placed])
        if stored.result is Result.RESTORED and damaged is not None and damaged.path != path:
            afterwards.callback(self._remover.set_aside, damaged)
        if writes_debug(__name__):
            facts = {"sop_uid": stored.sop_uid, "trace_id": content.trace_id, "traceparent": content.origin.traceparent}
            log.debug("stored", result=stored.result.value, **facts)
        return stored

    def _record_duplicate(self, content: Content, holds: Callable[[Row], bool]) -> Stored | None:
        """Record a duplicate of what is held; None when its file has gone since it was looked for."""
        tenant, sop_uid = self._settings.tenant, content.header.sop_uid

        def job(cx: Connection) -> Stored | None:
            known = find_version(cx, tenant, sop_uid, content.digest, content.transfer_syntax_uid)
            if known is None or not holds(known):
                return None
            return self._register.record(cx, content, lambda _: True)

        return self._committer.run(job)


def _fsync(descriptor: int) -> None:
    try:
        failpoint("ingest.fsync")
    except OSError as error:
        raise ArchiveFailed(f"fsync failed: {os.strerror(error.errno or 0)}", hint="check the disk") from error
    fsync(descriptor)
