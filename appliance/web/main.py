"""The web room: builds the application from the settings, serves it until told to stop."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from appliance import activation, lifecycle, logs
from appliance.access.roles import Role
from appliance.access.sessions import Lifetimes
from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.clock import SystemClock
from appliance.codec.cache import FrameCache
from appliance.codec.decoding import decoding
from appliance.codec.limits import Limits as CodecLimits
from appliance.config import Settings, StowEntry, certificate_files, credential
from appliance.dicomweb.endpoint import Endpoint
from appliance.errors import ConfigurationError
from appliance.http.proxies import networks
from appliance.http.server import Limits
from appliance.liveness import Liveness
from appliance.web import create_app
from appliance.web.access import allowed_names
from appliance.web.access_lines import AccessLines
from appliance.web.client_certificates import Holders, load_holders
from appliance.web.codec_metrics import CodecMetrics
from appliance.web.doors import KEY, Doors, Places, check_open
from appliance.web.entrance import entrance, open_book
from appliance.web.gathering import Gatherer
from appliance.web.metrics import ApplianceCollector, RequestMetrics, Sources
from appliance.web.ohif_files import Viewer, read_viewer
from appliance.web.prepared_frames import PreparedFrames
from appliance.web.preparing import Preparer
from appliance.web.recalling import Recalling, Source
from appliance.web.series_metadata import SeriesMetadata
from appliance.web.services import Services
from appliance.web.views import Views

ROOM = "web"
PUBLISH_SECONDS = 1.0
# The loop behind all connections turns about once a second.
LOOP_SECONDS = 30.0
DRAIN_SECONDS = 30.0
EXIT_STOPPED = 0
# EX_SOFTWARE: the archive failed and only a fresh process may answer success again.
EXIT_ARCHIVE_FAILED = 70


def main(settings: Settings) -> int:
    """Serve HTTP until SIGTERM or SIGINT, or until the archive fails; returns the exit code.

    Raises ConfigurationError and SchemaMismatch before anything is served.
    """
    logs.configure(settings.log.level, settings.log.format, ROOM)
    stop = lifecycle.Stop()
    stop.install()
    notices = lifecycle.Notices()
    try:
        notices.opening()
        archive = Archive.open(ArchiveSettings(**settings.archive_values()), ROOM, housekeeping=True)
        try:
            return _serve(settings, archive, stop, notices)
        finally:
            archive.close()
    finally:
        notices.close()
        stop.close()


class Background(Protocol):
    """Work beside the requests."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End; safe to repeat."""


def _serve(settings: Settings, archive: Archive, stop: lifecycle.Stop, notices: lifecycle.Notices) -> int:
    failed, liveness = threading.Event(), Liveness()
    archive.live_in(liveness)

    def archive_failed() -> None:
        failed.set()
        stop.set()

    services = _services(settings, archive, _spool(settings.home), archive_failed)
    server, background = _server(settings, services), _background(settings, services)
    for one in background:
        one.start()
    server.start(lambda door: liveness.part(f"http loop, {door}", LOOP_SECONDS).beat)
    _watch(settings, server, stop, notices, liveness)
    services.recalling.stop()  # nobody is kept waiting for the centre while the room ends
    drained = server.stop(DRAIN_SECONDS)
    services.codec.close()
    for one in background:
        one.stop()
    if services.book is not None:
        services.book.close()
    lifecycle.withdraw(settings.runtime_directory, ROOM)
    logs.get_logger(__name__).info("door closed", drained=drained)
    return EXIT_ARCHIVE_FAILED if failed.is_set() else EXIT_STOPPED


def _server(settings: Settings, services: Services) -> Doors:
    web, reserve = settings.web, settings.archive.reserve_bytes
    limits = Limits(
        threads_of(settings), web.connection_limit, web.max_body_bytes, services.spool, reserve,
    )  # fmt: skip
    passed = activation.inherited(os.environ).get(KEY, [])
    places = Places(web.host, web.port, web.socket, networks(web.trusted_proxies), passed)
    doors = Doors(create_app(services), places, limits, services.gate)
    check_open(doors.proxied, services.book is not None)
    return doors


def _holders(settings: Settings) -> Holders | None:
    """Return who comes in by a client certificate. Raises ConfigurationError."""
    roles = {holder: Role(role) for holder, role in settings.web.certificates.items()}
    return load_holders(roles, credential(settings.web.tls_ca, os.environ, "web.tls_ca"))


def _background(settings: Settings, services: Services) -> tuple[Background, ...]:
    archive, clock = services.archive, services.clock
    prepared = settings.home / "cache" / "frames" / "prepared"
    return (
        services.recalling,
        Gatherer(archive, services.series_metadata, clock),
        services.views,
        services.access_lines,
        Preparer(archive, services.frames, clock, prepared),
    )


def _watch(
    settings: Settings, server: Doors, stop: lifecycle.Stop, notices: lifecycle.Notices, liveness: Liveness
) -> None:
    """Say that the room is there until it is to end."""
    _publish(settings.runtime_directory, server, "ready", liveness)
    notices.status("serving browsers")
    notices.ready()
    logs.get_logger(__name__).info("door open", host=settings.web.host, port=server.port)
    while not stop.wait(PUBLISH_SECONDS) and server.running:
        _publish(settings.runtime_directory, server, "ready", liveness)
        liveness.feed(notices.watchdog)
    notices.draining(DRAIN_SECONDS)


def _publish(runtime: Path, server: Doors, state: str, liveness: Liveness) -> None:
    numbers = {"state": state, "connections": server.connections, **liveness.snapshot()}
    try:
        lifecycle.publish(runtime, ROOM, numbers)
    except OSError as error:
        # A full disk must not keep anybody from reading.
        logs.get_logger(__name__).warning("numbers not published", reason=error.strerror)


def _spool(home: Path) -> Path:
    """Make the directory of bodies and answers too large for memory; what a crash left behind goes."""
    spool = home / "spool" / ROOM
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    # waitress spools request bodies with the tempfile module, and this is its only setting.
    tempfile.tempdir = str(spool)
    return spool


def _ohif(folder: Path) -> Viewer | None:
    """Return the OHIF viewer; without it, or with half of it, the fallback viewer serves."""
    try:
        return read_viewer(folder)
    except ConfigurationError as error:
        logs.get_logger(__name__).warning("no OHIF viewer", reason=error.message, hint=error.hint)
        return None


def _source(settings: Settings) -> Source | None:
    """Return where evicted objects come back from. Raises ConfigurationError."""
    name = settings.retention.recall_from
    entry = settings.sync.sinks.get(name) if name else None
    if name is None or not isinstance(entry, StowEntry):
        return None
    told = {field.name for field in dataclasses.fields(Endpoint)}
    values = {key: _told(f"sync.sinks.{name}.{key}", value) for key, value in entry if key in told}
    return Source(name, Endpoint(**values))


def _told(key: str, value: Any) -> Any:
    return credential(value, os.environ, key) if isinstance(value, Path) else value


def codec_limits(settings: Settings) -> CodecLimits:
    """Return what decoding may cost."""
    return CodecLimits(**settings.codec.limits())


def threads_of(settings: Settings) -> int:
    """Return how many threads serve requests: decoders that hang hold up those that wait for one, and no other."""
    return settings.web.threads + settings.codec.workers + settings.codec.waiting


def _services(settings: Settings, archive: Archive, spool: Path, archive_failed: Callable[[], None]) -> Services:
    clock, runtime = SystemClock(), settings.runtime_directory
    registry, views = CollectorRegistry(), Views(archive.uses, clock)
    web = settings.web
    lifetimes = Lifetimes(web.session_idle, web.session_lifetime)
    book = open_book(settings.home, lifetimes, clock) if web.login == "required" else None
    files = certificate_files(settings, os.environ)
    backed_up = settings.home if settings.backup.directory else None
    sources = Sources(archive.numbers, archive.outbox, archive.confirmations, runtime, files, clock, backed_up)
    registry.register(ApplianceCollector(sources))
    codec = decoding(codec_limits(settings), settings.codec.socket, CodecMetrics(registry))
    cache = FrameCache(settings.home / "cache" / "frames", settings.codec.cache_bytes)
    return Services(
        archive=archive,
        allowed_hosts=allowed_names(settings.web.host, settings.web.allowed_hosts),
        runtime=runtime,
        spool=spool,
        max_results=settings.web.max_results,
        max_body_bytes=settings.web.max_body_bytes,
        clock=clock,
        archive_failed=archive_failed,
        metrics=RequestMetrics(registry),
        gate=entrance(archive.settings, book, clock, _holders(settings)),
        book=book,
        access_lines=AccessLines(archive.accesses, clock),
        series_metadata=SeriesMetadata(settings.home / "cache" / "metadata", settings.web.metadata_cache_bytes),
        codec=codec,
        recalling=Recalling(archive, views, _source(settings)),
        views=views,
        frames=PreparedFrames(codec, cache, archive.transcodes, archive.numbers.disk),
        ohif=_ohif(settings.web.ohif),
    )
