"""Fetching evicted objects back: who waits for which, a few at a time, what is looked at before what comes next."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from appliance.errors import ApplianceError
from appliance.logs import get_logger

CONNECTIONS: Final = 2
MOST_WAITING: Final = 10
MOST_AHEAD: Final = 20_000
# After the centre could not be reached, nobody else is kept waiting for it for so long.
PAUSE_SECONDS: Final = 5.0
NOW, AHEAD = 0, 1

log = get_logger(__name__)


class TooMany(ApplianceError):
    """More requests wait for objects to come back than are allowed to."""

    retryable = True


class Away(ApplianceError):
    """The centre could not be reached. `silent`: it took the request, or the line, and then fell silent."""

    retryable = True

    def __init__(self, message: str, *, hint: str = "", silent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.silent = silent


@dataclass(order=True)
class _Job:
    rank: tuple[int, int, int]
    version_id: int = field(compare=False)
    study_uid: str = field(compare=False)
    done: Future[None] = field(compare=False)


class Fetches:
    """Runs `fetch` for versions in CONNECTIONS threads: what a reader waits for first, then what is fetched ahead.

    Several who want the same version wait for one fetch. Safe to share between threads.
    """

    def __init__(
        self, fetch: Callable[[int, str], None], monotonic: Callable[[], float] = time.monotonic,
        most_waiting: int = MOST_WAITING,
    ) -> None:  # fmt: skip
        """`fetch` gets a version and its study, and returns once the bytes are durably here. Raises ApplianceError."""
        self._fetch = fetch
        self._monotonic = monotonic
        self._most_waiting = most_waiting
        self._numbers = itertools.count()
        self._studies = itertools.count()
        self._queue: list[_Job] = []
        self._wanted: dict[int, Future[None]] = {}
        self._waiting = 0
        self._away: tuple[float, Away] | None = None
        self._changed = threading.Condition()
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._run, name=f"recall-{number}", daemon=True) for number in range(CONNECTIONS)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; who still waits is told so. Safe to repeat."""
        with self._changed:
            self._stopped = True
            for job in self._queue:
                _fail(job.done, Away("this box is stopping", hint="try again in a moment"))
            self._queue.clear()
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def wait_for(self, version_id: int, study_uid: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Return once a version's bytes are here; `meanwhile` is done once they are asked for.

        Raises what `fetch` raised, Away, TooMany.
        """
        with self._changed:
            self._check_away()
            if self._waiting >= self._most_waiting:
                raise TooMany("many images are being fetched back already", hint="try again in a moment")
            self._waiting += 1
            done = self._put(version_id, study_uid, (NOW, 0, next(self._numbers)))
        try:
            meanwhile()
            done.result()
        finally:
            with self._changed:
                self._waiting -= 1

    def ahead(self, study_uid: str, versions: Iterable[int]) -> None:
        """Have versions of a study fetched, in this order, when nobody waits; the newest wish goes first."""
        with self._changed:
            if self._away is not None and self._away[0] > self._monotonic():
                return
            wish = -next(self._studies)
            for version_id in versions:
                if version_id not in self._wanted and len(self._queue) < MOST_AHEAD:
                    self._put(version_id, study_uid, (AHEAD, wish, next(self._numbers)))

    def _put(self, version_id: int, study_uid: str, rank: tuple[int, int, int]) -> Future[None]:
        done = self._wanted.setdefault(version_id, Future())
        if self._stopped:
            _fail(done, Away("this box is stopping", hint="try again in a moment"))
            self._wanted.pop(version_id, None)
            return done
        heapq.heappush(self._queue, _Job(rank, version_id, study_uid, done))
        self._changed.notify()
        return done

    def _check_away(self) -> None:
        if self._away is not None and self._away[0] > self._monotonic():
            fault = self._away[1]
            raise Away(fault.message, hint=fault.hint, silent=fault.silent)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._fetch(job.version_id, job.study_uid)
            except ApplianceError as error:
                self._failed(job, error)
            except Exception as error:  # boundary: handed to who waits; the thread must serve the others
                log.error("fetch failed unexpectedly", kind=type(error).__name__)
                self._settle(job, error)
            else:
                self._settle(job, None)

    def _next(self) -> _Job | None:
        """Return the next job, once there is one; None at the end. What is under way already is passed over."""
        with self._changed:
            while not self._stopped:
                while self._queue:
                    job = heapq.heappop(self._queue)
                    if not job.done.running() and not job.done.done():
                        job.done.set_running_or_notify_cancel()
                        return job
                self._changed.wait()
        return None

    def _failed(self, job: _Job, error: ApplianceError) -> None:
        if isinstance(error, Away):
            with self._changed:
                self._away = (self._monotonic() + PAUSE_SECONDS, error)
                self._drop_ahead()
        self._settle(job, error)

    def _drop_ahead(self) -> None:
        """Forget what nobody waits for: it would be tried against a centre that is away."""
        kept = [job for job in self._queue if job.rank[0] == NOW]
        waited_for = {job.version_id for job in kept}
        for job in self._queue:
            if job.version_id not in waited_for and not job.done.running():
                self._wanted.pop(job.version_id, None)
                _fail(job.done, Away("not fetched ahead"))
        heapq.heapify(kept)
        self._queue = kept

    def _settle(self, job: _Job, error: BaseException | None) -> None:
        with self._changed:
            self._wanted.pop(job.version_id, None)
        if error is None:
            job.done.set_result(None)
        else:
            job.done.set_exception(error)


def _fail(done: Future[None], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)


def in_order(versions: Sequence[int], first: int) -> list[int]:
    """Return versions in reading order from the one after `first` on, then those before it."""
    if first not in versions:
        return list(versions)
    at = versions.index(first)
    return [*versions[at + 1 :], *versions[:at]]
