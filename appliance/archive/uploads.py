"""Uploads under way: objects too large for one request, kept until they are whole, within a quota and for some days.

What they announce counts against the quota from the beginning, so that what was begun can be ended. One
process serves a directory; within it many threads may.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.archive.files import DIRECTORY_MODE, as_archive_error
from appliance.archive.group2 import MAXIMUM_META_BYTES, ByteStream
from appliance.archive.reserve import Reserve
from appliance.archive.upload import Upload, remove
from appliance.archive.upload_facts import Answer, Facts, Owner
from appliance.clock import Clock
from appliance.errors import DiskFull, NotFound, PeerError, TooLarge
from appliance.logs import get_logger

DAY: Final = 86_400_000_000
# A site that begins and never ends must not use up everybody's quota: so many, and half of it, but one in any case.
MOST_OF_ONE_SITE: Final = 32
SHARE_OF_ONE_SITE: Final = 0.5
_NAME: Final = re.compile(r"[0-9a-f]{32}")

log = get_logger(__name__)


class Occupied(PeerError):
    """Another request is writing to this upload, or ending it."""

    retryable = True


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Sizes in bytes: `quota_bytes` for all unfinished together, `object_bytes` for one. `days`: kept untouched."""

    quota_bytes: int
    object_bytes: int
    days: float


@dataclass(frozen=True, slots=True)
class UploadCount:
    """How many are unfinished, the bytes they announced, and those that have come."""

    unfinished: int
    announced_bytes: int
    held_bytes: int


class Uploads:
    """The uploads below one directory. Safe to use from many threads of one process."""

    def __init__(self, directory: Path, limits: UploadLimits, reserve: Reserve, clock: Clock) -> None:
        """Take up what is there; what is half made, or too old, goes. Raises DiskFull, ArchiveFailed."""
        self._directory = directory
        self._limits = limits
        self._reserve = reserve
        self._clock = clock
        self._lock = threading.Lock()
        try:
            directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise as_archive_error(error, "make the directory of uploads") from error
        self._known = {upload.name: upload for upload in self._load()}
        self.sweep()

    @property
    def longest(self) -> int:
        """Bytes one upload may have: an object of the largest size, behind a group 2, within the quota."""
        return min(self._limits.object_bytes + MAXIMUM_META_BYTES, self._limits.quota_bytes)

    def begin(
        self, owner: Owner, length: int, labels: Mapping[str, str],
        believed: Callable[[Answer], bool] = lambda _answer: False,
    ) -> Upload:  # fmt: skip
        """Return the upload of these labels and this length, a new one if there is none; durable.

        One that has ended is returned when something was stored and `believed` says that it still is.
        Raises TooLarge, DiskFull (quota or reserve), ArchiveFailed.
        """
        if length > self.longest:
            hint = "raise archive.max_object_bytes, central.receiver.upload_quota_bytes"
            raise TooLarge(f"the upload is longer than {self.longest} bytes", hint=hint)
        self.sweep()
        ended = self._alike(owner, length, labels, ended=True)
        if ended is not None and ended.answer is not None and believed(ended.answer):
            return ended
        with self._lock:
            known = self._alike(owner, length, labels, ended=False)
            if known is not None:
                return known
            self._check_room(owner, length)
            facts = Facts(owner, length, dict(labels), self._clock.now())
            upload = Upload.make(self._directory / secrets.token_hex(16), facts)
            self._known[upload.name] = upload
            return upload

    def find(self, owner: Owner, name: str) -> Upload:
        """Return an upload of the owner's; NotFound for any other name."""
        upload = self._known.get(name) if _NAME.fullmatch(name) else None
        if upload is None or upload.gone or upload.facts.owner != owner:
            raise NotFound("there is no such upload", hint="it was given up, or never was: begin it anew")
        return upload

    @contextmanager
    def writing(self, upload: Upload, seconds: float = 0) -> Iterator[None]:
        """Hold an upload alone, waiting up to `seconds`. Raises Occupied, NotFound when it has gone meanwhile."""
        if not upload.writing.acquire(timeout=seconds):
            raise Occupied("another request works on this upload", hint="ask for its offset in a moment")
        try:
            if upload.gone:
                raise NotFound("there is no such upload", hint="it was given up: begin it anew")
            yield
        finally:
            upload.writing.release()

    def append(self, upload: Upload, offset: int, stream: ByteStream) -> int:
        """Append a piece and return the offset reached, durable. The caller holds the upload; see Upload.append."""
        return upload.append(offset, stream, now=self._clock.now, room=self._reserve.check)

    def finish(self, upload: Upload, answer: Answer) -> None:
        """Keep an answer and let go of the bytes. The caller holds the upload. Raises DiskFull, ArchiveFailed."""
        upload.finish(answer, self._clock.now())

    def sweep(self) -> int:
        """Remove what nobody has touched for too long; return how many. What is being written to stays."""
        oldest = self._clock.now() - int(self._limits.days * DAY)
        removed = 0
        for upload in [one for one in self._all() if one.touched_at < oldest]:
            if upload.writing.acquire(blocking=False):
                try:
                    removed += self._remove(upload, oldest)
                finally:
                    upload.writing.release()
        return removed

    def count(self) -> UploadCount:
        """Count what is unfinished; what is too old goes first."""
        self.sweep()
        unfinished = [upload for upload in self._all() if upload.answer is None]
        announced = sum(upload.facts.length for upload in unfinished)
        return UploadCount(len(unfinished), announced, sum(upload.offset for upload in unfinished))

    def _all(self) -> list[Upload]:
        return list(self._known.values())

    def _load(self) -> Iterator[Upload]:
        for directory in sorted(self._directory.iterdir()):
            upload = Upload.load(directory) if _NAME.fullmatch(directory.name) else None
            if upload is None:
                remove(directory)
            else:
                yield upload

    def _remove(self, upload: Upload, oldest: int) -> bool:
        if upload.gone or upload.touched_at >= oldest:
            return False
        upload.remove()
        with self._lock:
            self._known.pop(upload.name, None)
        if upload.answer is None:
            facts = {"site": upload.facts.owner.site, "offset": upload.offset, "length": upload.facts.length}
            log.warning("unfinished upload given up: nothing came for too long", **facts)
        return True

    def _alike(self, owner: Owner, length: int, labels: Mapping[str, str], *, ended: bool) -> Upload | None:
        for upload in self._all():
            facts = upload.facts
            alike = (facts.owner, facts.length, facts.labels) == (owner, length, labels) and not upload.gone
            if alike and (upload.answer is not None and bool(upload.answer.held) if ended else upload.answer is None):
                return upload
        return None

    def _check_room(self, owner: Owner, length: int) -> None:
        unfinished = [upload for upload in self._all() if upload.answer is None]
        own = [upload.facts.length for upload in unfinished if upload.facts.owner.site == owner.site]
        share = self._limits.quota_bytes * SHARE_OF_ONE_SITE
        if len(own) >= MOST_OF_ONE_SITE or (own and sum(own) + length > share):
            raise DiskFull("the site has too many unfinished uploads", hint="end them, or wait until they expire")
        announced = sum(upload.facts.length for upload in unfinished)
        if announced + length > self._limits.quota_bytes:
            raise DiskFull("unfinished uploads use up their quota", hint="raise central.receiver.upload_quota_bytes")
        disk = self._reserve.disk()
        missing = announced - sum(upload.offset for upload in unfinished)
        if disk.free_bytes - missing - length <= disk.reserve_bytes:
            raise DiskFull("there is no room for an upload of this length", hint="free some space")
