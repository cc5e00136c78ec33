"""Frames that a browser cannot decode: decoded here, kept, and what nobody can decode is remembered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from appliance.archive.reading import StoredInstance
from appliance.archive.reserve import Disk
from appliance.archive.transcodes import Transcodes
from appliance.codec.cache import FrameCache
from appliance.codec.decoder_table import TABLE
from appliance.codec.decoding import Decoding
from appliance.codec.faults import OF_THE_OBJECT, CodecFault, Kind
from appliance.codec.outcome import Outcome
from appliance.codec.source import Source
from appliance.dicomweb.frame_media import READ_BY_BROWSERS
from appliance.errors import ArchiveError, Busy, DiskFull
from appliance.logs import get_logger
from appliance.model.syntaxes import TRANSFER_SYNTAXES

# Encapsulated syntaxes that a browser's viewer does not read. Those without a decoder are among them: they
# are tried, and recorded. Video is not: no frame of it can be taken by itself.
UNREADABLE: frozenset[str] = frozenset(
    syntax.uid for syntax in TRANSFER_SYNTAXES
    if syntax.encapsulated and syntax.storable and syntax.uid not in READ_BY_BROWSERS
    and not syntax.name.startswith(("MPEG", "HEVC", "Fragmentable"))
)  # fmt: skip


def source_of(instance: StoredInstance) -> Source:
    """Return what the codec works on."""
    return Source(
        instance.path, instance.offset, instance.length, instance.transfer_syntax_uid, instance.assumed_charset
    )


def _key(instance: StoredInstance) -> str:
    """Return the name of an object's pixels: the same bytes in another transfer syntax are other pixels."""
    return hashlib.sha256(f"{instance.digest} {instance.transfer_syntax_uid}".encode()).hexdigest()


class PreparedFrames:
    """Decodes frames through the pool, and keeps them. Safe to share between threads."""

    def __init__(self, pool: Decoding, cache: FrameCache, transcodes: Transcodes, disk: Callable[[], Disk]) -> None:
        """Write to the cache only while `disk` has twice the reserve free: objects come before frames."""
        self._pool = pool
        self._cache = cache
        self._transcodes = transcodes
        self._disk = disk

    @property
    def cache(self) -> FrameCache:
        """Where frames are kept."""
        return self._cache

    def can_decode(self, instance: StoredInstance) -> bool:
        """Say whether there is a decoder for this instance's transfer syntax."""
        return instance.transfer_syntax_uid in TABLE

    def frame(self, instance: StoredInstance, number: int, *, background: bool = False) -> Outcome:
        """Return frame `number` (from 1), decoded: ImageFacts and explicit VR little endian bytes.

        A frame that every decoder has refused is refused at once. Raises CodecFault, ArchiveError.
        """
        kept = self._cache.read(_key(instance), number)
        if kept is not None:
            return kept
        known = self._transcodes.find(instance.version_id)
        if known and known.current and known.frame == number and known.fault == Kind.REFUSED:
            raise CodecFault(Kind.REFUSED, known.reason)
        try:
            outcome = self._pool.run("native", source_of(instance), {"frame": number}, background=background)
        except CodecFault as fault:
            self._record(instance, number, fault)
            raise
        except OSError as error:
            raise ArchiveError("a stored file cannot be opened", hint="run appliance fsck") from error
        if known and known.frame == number:
            self._transcodes.forget(instance.version_id)
        if self._roomy():
            self._cache.write(_key(instance), number, outcome)
        return outcome

    def prepare(self, instance: StoredInstance) -> Iterator[int]:
        """Decode every frame that is not kept yet, yielding each one's number; nothing waits for it.

        Raises CodecFault at the first frame that cannot be decoded, which is recorded, and ArchiveError.
        """
        frames, number = 1, 1
        while number <= frames:
            if not self._cache.holds(_key(instance), number) or number == 1:
                frames = int(self.frame(instance, number, background=True).facts.get("frames", 1))
            yield number
            number += 1

    def _record(self, instance: StoredInstance, number: int, fault: CodecFault) -> None:
        if fault.kind not in OF_THE_OBJECT:
            return
        log = get_logger(__name__)
        log.warning("pixels cannot be decoded", sop_uid=instance.sop_uid, frame=number, fault=fault.kind.value)
        try:
            self._transcodes.note(instance.version_id, number, fault.kind.value, fault.message)
        except (Busy, DiskFull) as error:  # it will be tried, and recorded, again
            log.warning("transcode record not written", reason=error.message)

    def _roomy(self) -> bool:
        disk = self._disk()
        return self._cache.keeps and disk.free_bytes > 2 * disk.reserve_bytes

    def give_way(self) -> None:
        """Empty the cache when the disk is short of space."""
        if not self._roomy():
            self._cache.prune(0)
