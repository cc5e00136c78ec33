"""Gathers the metadata of series that have gone quiet, before anybody asks for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final

from appliance.archive.reading import StoredSeries
from appliance.archive.room import Archive
from appliance.clock import Clock
from appliance.errors import ApplianceError, ArchiveFailed
from appliance.logs import get_logger
from appliance.web.answers import compact_json
from appliance.web.documents import document_of
from appliance.web.series_metadata import Line, SeriesMetadata

QUIET_SECONDS: Final = 10
LOOK_SECONDS: Final = 2.0
# How far back a starting room looks for series that nobody has gathered yet.
BEFORE_START_SECONDS: Final = 24 * 3600
MOST_STUDIES: Final = 200
MOST_WAITING: Final = 10_000
SECOND: Final = 1_000_000


class Stopped(Exception):
    """The room is closing while a series is being gathered."""


def is_quiet(series: StoredSeries, clock: Clock) -> bool:
    """Say whether nothing has come to a series for QUIET_SECONDS."""
    return clock.now() - series.updated_at >= QUIET_SECONDS * SECOND


def lines_of(archive: Archive, series: StoredSeries, root: str) -> Iterator[Line]:
    """Yield the documents of a series in reading order, parsing its files."""
    for instance in archive.reading.instances(series.study_uid, series.series_uid):
        document, whole = document_of(archive, instance, root)
        yield Line(compact_json(document), whole)


class Gatherer:
    """Follows the changes of the index and keeps the metadata of each series once it is quiet."""

    def __init__(self, archive: Archive, kept: SeriesMetadata, clock: Clock) -> None:
        """Nothing is looked at yet."""
        self._archive = archive
        self._kept = kept
        self._clock = clock
        # Revisions follow the clock in microseconds.
        self._after = clock.now() - BEFORE_START_SECONDS * SECOND
        self._waiting: dict[str, None] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gatherer", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End; a series half gathered is given up."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> int:
        """Gather what has gone quiet since the last look; return how many series that were."""
        self._follow()
        gathered = 0
        for study_uid in tuple(self._waiting):
            series = self._archive.reading.series(study_uid)
            quiet = [one for one in series if is_quiet(one, self._clock)]
            gathered += sum(map(self._gather, quiet))
            if len(quiet) == len(series):
                del self._waiting[study_uid]
        if gathered:
            self._kept.prune()
        return gathered

    def _follow(self) -> None:
        while len(self._waiting) < MOST_WAITING:
            studies = self._archive.search.changes(self._after, MOST_STUDIES)
            for study in studies:
                self._waiting[str(study["study_uid"])] = None
                self._after = int(study["revision"] or 0)
            if len(studies) < MOST_STUDIES:
                return

    def _gather(self, series: StoredSeries) -> bool:
        if self._kept.fresh(series) or not self._archive.numbers.disk().accepting:
            return False
        if not all(one.held for one in self._archive.reading.instances(series.study_uid, series.series_uid)):
            return False  # they would be kept incomplete, and stay so when the rest comes back
        return self._kept.write(series, lambda root: self._until_stopped(lines_of(self._archive, series, root)))

    def _until_stopped(self, lines: Iterator[Line]) -> Iterator[Line]:
        for line in lines:
            if self._stop.is_set():
                raise Stopped
            yield line

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            if not self._attempt(self.look):
                return

    def _attempt(self, look: Callable[[], int]) -> bool:
        try:
            look()
        except (Stopped, ArchiveFailed):
            return False  # requests meet a failed archive too, and they end the room
        except (ApplianceError, OSError) as error:
            reason = error.message if isinstance(error, ApplianceError) else type(error).__name__
            get_logger(__name__).warning("series metadata not gathered", reason=reason)
        return True
