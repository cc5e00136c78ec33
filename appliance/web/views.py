"""Views: which studies people look at, for retention; noted at most once an hour each, never in a request's way."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from flask import Request

from appliance.archive.uses import Uses
from appliance.clock import Clock
from appliance.errors import ArchiveError
from appliance.logs import get_logger

THROTTLE_SECONDS: Final = 3600.0
WRITE_SECONDS: Final = 2.0
MOST_STUDIES: Final = 10_000
SUCCESS: Final = range(200, 400)
# Blueprints whose routes show a study itself; a line in a list of studies is no view.
SHOWING: Final = frozenset(("wado", "wado_uri", "frames", "rendered", "metadata", "export", "viewer"))


class Views:
    """Takes notes from any thread; a thread of its own writes them."""

    def __init__(self, uses: Uses, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nothing is written before `start`, except by `keep`."""
        self._uses = uses
        self._clock = clock
        self._monotonic = monotonic
        self._noted: OrderedDict[str, float] = OrderedDict()
        self._unwritten: dict[str, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="views", daemon=True)

    def note(self, request: Request, status: int) -> None:
        """Note the study that a request was answered with, if it shows one."""
        if request.blueprint in SHOWING and status in SUCCESS:
            study_uid = (request.view_args or {}).get("study_uid") or request.args.get("studyUID", "")
            if study_uid:
                self.add(str(study_uid))

    def add(self, study_uid: str) -> None:
        """Note a study, unless it was noted lately."""
        now = self._monotonic()
        with self._lock:
            if self._noted.get(study_uid, now - THROTTLE_SECONDS) > now - THROTTLE_SECONDS:
                return
            self._noted[study_uid] = now
            self._noted.move_to_end(study_uid)
            while len(self._noted) > MOST_STUDIES:
                self._noted.popitem(last=False)
            self._unwritten[study_uid] = self._clock.now()

    def keep(self, study_uid: str) -> None:
        """Note a study that is being fetched back, for retention to let it be; durable on return. Raises as `write`."""
        self.add(study_uid)
        self.write()

    def write(self) -> None:
        """Write what was noted; durable on return. Raises ArchiveError, with everything still to be written."""
        with self._lock:
            views, self._unwritten = self._unwritten, {}
        if not views:
            return
        try:
            self._uses.view(views)
        except ArchiveError:
            with self._lock:
                self._unwritten = views | self._unwritten
            raise

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is there and end. Safe to repeat."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10 * WRITE_SECONDS)

    def _run(self) -> None:
        while True:
            ending = self._stop.wait(WRITE_SECONDS)
            try:
                self.write()
            except ArchiveError as error:
                get_logger(__name__).warning("views wait", reason=error.message)
            if ending:
                return
