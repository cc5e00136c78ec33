"""Recalling: what is at the centre comes back when somebody opens it, and its neighbours with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from flask import has_request_context, request

from appliance.archive.reading import StoredInstance
from appliance.archive.recall import NotTheSame, Wanted
from appliance.archive.room import Archive
from appliance.dicomweb.client import Refused as PeerRefused
from appliance.dicomweb.endpoint import Endpoint
from appliance.dicomweb.faults import NoAnswer, NotReached, Stopped
from appliance.dicomweb.fetching import fetched
from appliance.dicomweb.multipart import MultipartError
from appliance.dicomweb.problems import Problem, problem_of
from appliance.dicomweb.transport import Transport
from appliance.errors import ApplianceError, ConfigurationError, PeerError
from appliance.logs import get_logger
from appliance.web.answers import Refused
from appliance.web.fetching import Away, Fetches, TooMany, in_order
from appliance.web.views import Views

LOST: Final = "the bytes under these UIDs are not held here any more"
NOT_FETCHED: Final = "these images are at the centre, and this box is not set to fetch them back"
AHEAD_SECONDS: Final = 60.0
MOST_STUDIES: Final = 1000
# A small picture in a list is no reason to fetch a whole study.
SMALL: Final = "rendered.thumbnail"
PASSING: Final = frozenset((408, 425, 429, 500, 502, 503, 504))

log = get_logger(__name__)


class Unfit(PeerError):
    """The centre does not give back what it was proven to hold, or does not let this box ask."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where evicted objects come back from: a sink by its name."""

    name: str
    endpoint: Endpoint


class Recalling:
    """Brings the bytes of evicted instances back. Safe to share between threads."""

    def __init__(self, archive: Archive, views: Views, source: Source | None) -> None:
        """Without a source nothing comes back."""
        self._archive = archive
        self._views = views
        self._source = source
        self._own = threading.local()
        self._transports: list[Transport] = []
        self._stopping = threading.Event()
        self._in_flight = 0
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}
        self.fetches = Fetches(self._fetch)

    def start(self) -> None:
        """Begin, where there is a source."""
        if self._source is not None:
            self.fetches.start()

    def stop(self) -> None:
        """End what is under way. Safe to repeat."""
        self._stopping.set()
        self.fetches.stop()
        for transport in self._transports:
            transport.close()

    def can_give(self, instance: StoredInstance) -> bool:
        """Say whether the bytes are here or may come back."""
        return instance.held or (instance.evicted and self._source is not None)

    def here(self, instance: StoredInstance) -> StoredInstance:
        """Return an instance with its bytes here, fetched back if need be; the rest of its study follows.

        Ends with 404 (lost, or not to be fetched), 502 (the centre gives something else), 503 or 504 (it is away),
        507 (no room).
        """
        if instance.held:
            return instance
        if not self.can_give(instance):
            raise Refused(Problem(404, NOT_FETCHED if instance.evicted else LOST))
        small = has_request_context() and (request.endpoint or "").startswith(SMALL)
        return self._waited_for(instance, with_study=not small)

    def all_here(self, instances: Sequence[StoredInstance]) -> list[StoredInstance]:
        """Return instances with their bytes here; ends as `here` does."""
        away = [one for one in instances if not one.held and self.can_give(one)]
        for study_uid in {one.study_uid for one in away}:
            self.fetches.ahead(study_uid, (one.version_id for one in away if one.study_uid == study_uid))
        return [one if one.held else self._waited_for(one, with_study=False) for one in instances]

    def _waited_for(self, instance: StoredInstance, *, with_study: bool) -> StoredInstance:
        def meanwhile() -> None:
            if with_study:
                self._ahead(instance)

        try:
            self.fetches.wait_for(instance.version_id, instance.study_uid, meanwhile)
        except ApplianceError as error:
            raise Refused(_problem(error)) from error
        found = self._archive.reading.instances(instance.study_uid, instance.series_uid, instance.sop_uid)
        if not found or not found[0].held:
            raise Refused(Problem(404, LOST))
        return found[0]

    def _ahead(self, instance: StoredInstance) -> None:
        """Have the rest of the study follow, asked for once in a while."""
        now = time.monotonic()
        with self._lock:
            if self._asked.get(instance.study_uid, now - AHEAD_SECONDS) > now - AHEAD_SECONDS:
                return
            self._asked.pop(instance.study_uid, None)
            self._asked[instance.study_uid] = now
            while len(self._asked) > MOST_STUDIES:
                del self._asked[next(iter(self._asked))]
        away = [one.version_id for one in self._archive.reading.instances(instance.study_uid) if one.evicted]
        self.fetches.ahead(instance.study_uid, in_order(away, instance.version_id))

    def _fetch(self, version_id: int, study_uid: str) -> None:
        """Fetch one version; durably here on return. Raises Away, Unfit, NotTheSame, ArchiveError."""
        wanted = self._archive.recall.wanted(version_id)
        if wanted is None or self._source is None:
            return
        self._views.keep(study_uid)
        with self._lock:
            self._in_flight += wanted.size
            needed = self._in_flight
        try:
            self._archive.retention.make_room(needed, spare=study_uid)
            self._take(wanted, self._source)
        except NotTheSame as error:
            log.error("what came back is not the same", sop_uid=wanted.sop_uid, reason=error.reason)
            raise
        finally:
            with self._lock:
                self._in_flight -= wanted.size

    def _take(self, wanted: Wanted, source: Source) -> None:
        uids = (wanted.study_uid, wanted.series_uid, wanted.sop_uid)
        transport = self._transport(source)
        try:
            with fetched(transport, source.endpoint, uids) as file:
                if file is None:
                    log.error("evicted, and the centre does not have it", sop_uid=wanted.sop_uid, sink=source.name)
                    raise Unfit(f"{source.name} answers that it does not hold this image, though it confirmed it")
                self._archive.recall.store(wanted, file, source.name, lambda _: transport.heed())
        except (PeerError, ConfigurationError) as error:
            transport.close()
            raise _sorted(error, source.name) from error

    def _transport(self, source: Source) -> Transport:
        found: Transport | None = getattr(self._own, "transport", None)
        if found is None:
            found = self._own.transport = Transport(source.endpoint, stopping=self._stopping.is_set)
            with self._lock:
                self._transports.append(found)
        return found


def _sorted(error: ApplianceError, name: str) -> ApplianceError:
    """Return a fault of the line or of the centre as what it means for a reader."""
    hint = "the images are safe at the centre; try again when the line is back"
    if isinstance(error, Unfit):
        return error
    if isinstance(error, NotReached | Stopped):
        return Away(f"these images are at {name}, which cannot be reached now", hint=hint)
    if isinstance(error, NoAnswer | MultipartError):
        return Away(f"these images are at {name}, which did not answer in time", hint=hint, silent=True)
    if isinstance(error, PeerRefused) and error.reply.status in PASSING:
        return Away(f"these images are at {name}, which is too busy now ({error.reply.status})", hint=hint)
    log.warning("not fetched back", sink=name, fault=error.message)
    return Unfit(f"{name} does not give these images to this box", hint="an administrator finds the reason in the log")


def _problem(error: ApplianceError) -> Problem:
    """Return what a client is told."""
    if isinstance(error, Away):
        return Problem(504 if error.silent else 503, error.message, error.hint)
    if isinstance(error, TooMany):
        return Problem(503, error.message, error.hint)
    if isinstance(error, Unfit | NotTheSame):
        return Problem(502, error.message, error.hint)
    return problem_of(error)


def lost_among(instances: Iterable[StoredInstance]) -> int:
    """Count the instances whose bytes are neither here nor known to be elsewhere."""
    return sum(not one.held and not one.evicted for one in instances)
