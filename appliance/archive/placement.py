"""Placement: from the spool into the file store, durably, without ever overwriting a file."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from appliance.archive.arrival import SpooledObject
from appliance.archive.database import Row
from appliance.archive.files import DirectoryTree, as_archive_error, fsync, fsync_directory, rename_new
from appliance.archive.group2 import NotPart10, read_labels
from appliance.archive.index import Blob
from appliance.archive.layout import instance_path
from appliance.archive.shelter import Shelter
from appliance.errors import ArchiveFailed
from appliance.failpoints import failpoint
from appliance.model.records import Header

TAIL_DIGITS = 16
# A directory that retention has found empty may be gone again by the time a file is to stand in it.
TRIES = 8


class Placement:
    """Puts files where the layout says. `root` is the archive root."""

    def __init__(self, root: Path, tenant: str, tree: DirectoryTree, shelter: Shelter) -> None:
        """Take the archive root, the tenant, the tree of directories known to be durable, and the shelter."""
        self._root = root
        self._tenant = tenant
        self._tree = tree
        self._shelter = shelter

    def place(self, spooled: SpooledObject, header: Header, until_recorded: ExitStack) -> Blob:
        """Rename an fsynced file into place; return the place, its path below the root.

        On return the entry and every directory leading to it are durable. A file that stands in
        the way with equal bytes was left by a crash before its commit, or by an eviction that has not
        removed it yet, and is taken over; it stays until the caller ends `until_recorded`. Any
        other content gets a name of its own beside it. Raises DiskFull, ArchiveFailed.
        """
        try:
            return self._place(spooled, header, until_recorded)
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
        except OSError as error:
            raise as_archive_error(error, "look for a stored object") from error
        return found == int(version["file_size"])

    def holds_bytes(self, version: Row) -> bool:
        """Say whether the file of a version row is there and its data set still has its digest: reads it whole."""
        if not self.holds(version):
            return False
        try:
            with (self._root / version["blob_path"]).open("rb") as file:
                file.seek(version["blob_offset"])
                return bool(hashlib.file_digest(file, "sha256").hexdigest() == version["digest"])
        except FileNotFoundError:
            return False
        except OSError as error:
            raise as_archive_error(error, "read a stored object") from error

    def _place(self, spooled: SpooledObject, header: Header, until_recorded: ExitStack) -> Blob:
        # Its own file, too: another door may take it over, and withdraw it before this one has recorded it.
        until_recorded.enter_context(self._shelter.shared())
        for relative in self._names(header, spooled.digest):
            target = self._root / relative
            place = self._occupy(spooled, target)
            if place is None:
                continue
            failpoint("ingest.after_rename")
            fsync_directory(target.parent)
            failpoint("ingest.after_directory_fsync")
            return replace(place, path=relative)
        raise AssertionError("unreachable: the names do not end")

    def _occupy(self, spooled: SpooledObject, target: Path) -> Blob | None:
        """Get the spooled file to stand at `target` and return its place there, or None if another one stands there."""
        for _ in range(TRIES):
            try:
                self._tree.ensure(target.parent)
                failpoint("ingest.before_rename")
                rename_new(spooled.path, target)
            except FileExistsError:
                try:
                    return _take_over(target, spooled)
                except FileNotFoundError:
                    continue  # it was in the way, and another door or an eviction has just removed it
            except FileNotFoundError:
                self._tree.forget(target.parent)
                continue
            spooled.moved()
            return Blob("", spooled.offset, spooled.length)
        raise ArchiveFailed("an object could not be moved into the archive", hint="check the archive's disk")

    def _names(self, header: Header, digest: str) -> Iterator[str]:
        uids = (header.study_uid, header.series_uid, header.sop_uid)
        yield instance_path(self._tenant, *uids)
        tail = digest[:TAIL_DIGITS]
        yield instance_path(self._tenant, *uids, tail=tail)
        for number in itertools.count(2):
            yield instance_path(self._tenant, *uids, tail=f"{tail}-{number}")


def _take_over(target: Path, spooled: SpooledObject) -> Blob | None:
    """Use the file in the way if it holds our data set in our transfer syntax; it is made durable first.

    Its group 2 may name another sender. The syntax counts, because the same bytes in another
    one are another content.
    """
    with target.open("rb") as file:
        try:
            labels, start = read_labels(file)
        except NotPart10:
            return None
        offset = file.tell() - len(start)
        if labels.transfer_syntax_uid != spooled.labels.transfer_syntax_uid:
            return None
        if os.fstat(file.fileno()).st_size != offset + spooled.length:
            return None
        file.seek(offset)
        if hashlib.file_digest(file, "sha256").hexdigest() != spooled.digest:
            return None
        fsync(file.fileno())
    spooled.discard()
    return Blob("", offset, spooled.length)
