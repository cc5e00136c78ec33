"""Prepares the frames that browsers cannot decode, once their series has gone quiet."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from appliance.archive.room import Archive
from appliance.archive.transcodes import Candidate
from appliance.clock import Clock
from appliance.codec.faults import CodecFault, Kind
from appliance.errors import ApplianceError, ArchiveFailed
from appliance.logs import get_logger
from appliance.web.prepared_frames import UNREADABLE, PreparedFrames

QUIET_SECONDS: Final = 10
LOOK_SECONDS: Final = 5.0
MOST: Final = 200
SECOND: Final = 1_000_000


class Preparer:
    """A thread that goes through the versions in the order they were stored; `mark` keeps how far it is."""

    def __init__(self, archive: Archive, frames: PreparedFrames, clock: Clock, mark: Path) -> None:
        """Nothing is looked at yet. `mark` is a file that may be lost: then all is looked at again."""
        self._archive = archive
        self._frames = frames
        self._clock = clock
        self._mark = mark
        self._after = _number_in(mark)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="preparer", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own; without a cache there is nothing to do."""
        if self._frames.cache.keeps:
            self._thread.start()

    def stop(self) -> None:
        """End after the frame that is being decoded."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> int:
        """Prepare the objects of quiet series that are next in line; return how many that were.

        An object of a series that still grows holds up those behind it, so that none is passed over.
        """
        self._frames.give_way()
        candidates = self._archive.transcodes.stored_in(UNREADABLE, self._after, MOST)
        done = 0
        for candidate in self._quiet(candidates):
            if self._stop.is_set() or not self._prepare(candidate):
                break
            self._after = candidate.version_id
            done += 1
        if done:
            _keep(self._mark, self._after)
        return done

    def _quiet(self, candidates: Iterable[Candidate]) -> Iterable[Candidate]:
        for candidate in candidates:
            if self._clock.now() - candidate.updated_at < QUIET_SECONDS * SECOND:
                return
            yield candidate

    def _prepare(self, candidate: Candidate) -> bool:
        """Return whether this object is done with, prepared or recorded as unreadable."""
        found = self._archive.reading.instances(candidate.study_uid, candidate.series_uid, candidate.sop_uid)
        for instance in found:
            if not instance.held or instance.version_id != candidate.version_id:
                continue
            try:
                for _ in self._frames.prepare(instance):
                    if self._stop.is_set():
                        return False
            except CodecFault as fault:
                if fault.kind is Kind.BUSY:
                    return False
        return True

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                while self.look() and not self._stop.is_set():
                    pass
            except ArchiveFailed:
                return  # requests meet a failed archive too, and they end the room
            except ApplianceError as error:
                get_logger(__name__).warning("frames not prepared", reason=error.message)


def _number_in(mark: Path) -> int:
    try:
        return int(mark.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def _keep(mark: Path, number: int) -> None:
    partial = mark.with_name(f"{mark.name}.part")
    try:
        partial.write_text(str(number), encoding="ascii")
        partial.replace(mark)
    except OSError as error:
        get_logger(__name__).warning("how far frames are prepared was not kept", error=type(error).__name__)
