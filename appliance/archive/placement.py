"""Placement: from the spool into the file store, durably, without ever overwriting a file."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from appliance.archive.arrival import SpooledObject
from appliance.archive.database import Row
from appliance.archive.files import DirectoryTree, as_archive_error, fsync, fsync_directory, rename_new
from appliance.archive.layout import instance_path
from appliance.failpoints import failpoint
from appliance.model.records import Header

TAIL_DIGITS = 16


class Placement:
    """Puts files where the layout says. `root` is the archive root."""

    def __init__(self, root: Path, tenant: str, tree: DirectoryTree) -> None:
        """Take the archive root, the tenant and the tree of directories known to be durable."""
        self._root = root
        self._tenant = tenant
        self._tree = tree

    def place(self, spooled: SpooledObject, header: Header) -> str:
        """Rename an fsynced file into place; return its path below the root.

        On return the entry and every directory leading to it are durable. A file that stands in
        the way with equal bytes was left by a crash before its commit and is taken over; any
        other content gets a name of its own beside it. Raises DiskFull, ArchiveFailed.
        """
        try:
            return self._place(spooled, header)
        except OSError as error:
            raise as_archive_error(error, "move an object into the archive") from error

    def holds(self, version: Row) -> bool:
        """Say whether the file of a version row is there, with its full size."""
        if version["blob_path"] is None:
            return False
        try:
            found: int = (self._root / version["blob_path"]).stat().st_size
        except FileNotFoundError:
            return False
        return found == int(version["file_size"])

    def withdraw(self, path: str) -> None:
        """Remove a file that was placed but never recorded."""
        (self._root / path).unlink(missing_ok=True)

    def _place(self, spooled: SpooledObject, header: Header) -> str:
        for relative in self._names(header, spooled.digest):
            target = self._root / relative
            self._tree.ensure(target.parent)
            failpoint("ingest.before_rename")
            try:
                rename_new(spooled.path, target)
            except FileExistsError:
                if not _take_over(target, spooled):
                    continue
            else:
                spooled.moved()
            failpoint("ingest.after_rename")
            fsync_directory(target.parent)
            failpoint("ingest.after_directory_fsync")
            return relative
        raise AssertionError("unreachable: the names do not end")

    def _names(self, header: Header, digest: str) -> Iterator[str]:
        uids = (header.study_uid, header.series_uid, header.sop_uid)
        yield instance_path(self._tenant, *uids)
        tail = digest[:TAIL_DIGITS]
        yield instance_path(self._tenant, *uids, tail=tail)
        for number in itertools.count(2):
            yield instance_path(self._tenant, *uids, tail=f"{tail}-{number}")


def _take_over(target: Path, spooled: SpooledObject) -> bool:
    """Use the file in the way if it is byte for byte ours; its bytes are made durable first."""
    if target.stat().st_size != spooled.file_size:
        return False
    with target.open("rb") as file:
        file.seek(spooled.offset)
        if hashlib.file_digest(file, "sha256").hexdigest() != spooled.digest:
            return False
        fsync(file.fileno())
    os.close(spooled.descriptor)
    spooled.descriptor = -1
    spooled.path.unlink(missing_ok=True)
    return True
