"""Quarantine: objects that could not be indexed, kept with the reason, listed and exportable.

They were refused at the door, so nothing was promised; they are kept because a technician will
want to know what a modality really sent. Past the quota the row is kept, the bytes are not.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from appliance.archive.arrival import SpooledObject
from appliance.archive.committer import Committer
from appliance.archive.database import Connection, Database, Row
from appliance.archive.files import DIRECTORY_MODE, as_archive_error, fsync, fsync_directory
from appliance.archive.settings import ArchiveSettings
from appliance.clock import Clock
from appliance.errors import NotFound
from appliance.failpoints import failpoint

LABEL_LENGTH = 64


class Quarantine:
    """One tenant's quarantine: files named by their data set's digest, one row each."""

    def __init__(self, settings: ArchiveSettings, database: Database, committer: Committer, clock: Clock) -> None:
        """Wire the parts; the directory is made with the first object."""
        self._settings = settings
        self._database = database
        self._committer = committer
        self._clock = clock

    def keep(self, spooled: SpooledObject, reason: str) -> int:
        """Move a complete spooled object here; file and row are durable on return. Returns the row's number.

        An object that is here already keeps its row. Raises DiskFull, ArchiveFailed.
        """
        directory = self._settings.quarantine / self._settings.tenant
        target = directory / f"{spooled.digest}.dcm"
        room = self.usage() + spooled.file_size <= self._settings.quarantine_quota_bytes
        if room:
            fsync(spooled.descriptor)
            try:
                directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
                os.rename(spooled.path, target)
            except OSError as error:
                raise as_archive_error(error, "move an object into quarantine") from error
            spooled.moved()
            fsync_directory(directory)
            failpoint("quarantine.after_rename")
        path = target.name if room else None
        return self._committer.run(lambda cx: self._insert(cx, spooled, reason, path))

    def usage(self) -> int:
        """Return the bytes held here."""
        with self._database.read() as cx:
            row = cx.execute(
                "SELECT coalesce(sum(size), 0) FROM quarantine WHERE tenant = ? AND path IS NOT NULL",
                (self._settings.tenant,),
            ).fetchone()
        return int(row[0])

    def list(self, limit: int = 100, offset: int = 0) -> list[Row]:
        """Return rows, newest first."""
        with self._database.read() as cx:
            return cx.execute(
                "SELECT * FROM quarantine WHERE tenant = ? ORDER BY id DESC LIMIT ? OFFSET ?",
                (self._settings.tenant, limit, offset),
            ).fetchall()

    def show(self, number: int) -> Row:
        """Return one row. Raises NotFound."""
        with self._database.read() as cx:
            row: Row | None = cx.execute(
                "SELECT * FROM quarantine WHERE tenant = ? AND id = ?", (self._settings.tenant, number)
            ).fetchone()
        if row is None:
            raise NotFound(f"there is no quarantined object {number}", hint="see: appliance quarantine list")
        return row

    def open(self, number: int) -> BinaryIO:
        """Open the kept file: our group 2, then the bytes as received. Raises NotFound."""
        row = self.show(number)
        if row["path"] is None:
            raise NotFound(
                f"the bytes of quarantined object {number} were not kept: the quota was used up",
                hint="raise archive.quarantine_quota_bytes and have it sent again",
            )
        path: Path = self._settings.quarantine / self._settings.tenant / row["path"]
        return path.open("rb")

    def export(self, number: int, target: Path) -> int:
        """Copy the kept file to `target`, which must not exist; return its size in bytes.

        The copy holds patient data and is readable by its owner alone.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with self.open(number) as source, open(os.open(target, flags, 0o600), "wb") as copy:
            shutil.copyfileobj(source, copy)
            return copy.tell()

    def _insert(self, cx: Connection, spooled: SpooledObject, reason: str, path: str | None) -> int:
        labels, origin = spooled.labels, spooled.origin
        rows = cx.execute(
            "INSERT INTO quarantine (tenant, reason, sop_class_uid, sop_uid, transfer_syntax_uid, sha256, size,"
            " path, door, source_ae, source_address, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (tenant, sha256) DO UPDATE SET path = coalesce(quarantine.path, excluded.path),"
            " received_at = excluded.received_at RETURNING id",
            (self._settings.tenant, reason, labels.sop_class_uid[:LABEL_LENGTH], labels.sop_uid[:LABEL_LENGTH],
             labels.transfer_syntax_uid[:LABEL_LENGTH], spooled.digest, spooled.file_size, path,
             origin.door.value, origin.ae_title, origin.address, self._clock.now()),
        ).fetchall()  # fmt: skip
        return int(rows[0][0])
