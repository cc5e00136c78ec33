"""The web room: builds the application from the settings, serves it until told to stop."""

from __future__ import annotations

import ipaddress
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry

from appliance import lifecycle, logs
from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.clock import SystemClock
from appliance.config import Settings, certificate_files
from appliance.errors import ConfigurationError
from appliance.web import create_app
from appliance.web.access import allowed_names
from appliance.web.metrics import ApplianceCollector, RequestMetrics, Sources
from appliance.web.server import Limits, WebServer
from appliance.web.services import Services

ROOM = "web"
PUBLISH_SECONDS = 1.0
DRAIN_SECONDS = 30.0
EXIT_STOPPED = 0
# EX_SOFTWARE: the archive failed and only a fresh process may answer success again.
EXIT_ARCHIVE_FAILED = 70


def main(settings: Settings) -> int:
    """Serve HTTP until SIGTERM or SIGINT, or until the archive fails; returns the exit code.

    Raises ConfigurationError and SchemaMismatch before anything is served.
    """
    logs.configure(settings.log.level, settings.log.format, ROOM)
    check_loopback(settings.web.host)
    stop = lifecycle.Stop()
    stop.install()
    archive = Archive.open(ArchiveSettings(**settings.archive_values()), ROOM, housekeeping=True)
    try:
        return _serve(settings, archive, stop)
    finally:
        archive.close()
        stop.close()


def check_loopback(host: str) -> None:
    """Raise ConfigurationError unless `host` is this machine's own: there are no logins yet."""
    try:
        loopback = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = host.lower() == "localhost"
    if not loopback:
        raise ConfigurationError(
            f"web.host = {host}: without logins the web room listens on a loopback address only",
            hint="set web.host to 127.0.0.1 and reach it through an SSH tunnel",
        )


def _serve(settings: Settings, archive: Archive, stop: lifecycle.Stop) -> int:
    log, notices = logs.get_logger(__name__), lifecycle.Notices()
    failed = threading.Event()

    def archive_failed() -> None:
        failed.set()
        stop.set()

    spool = _spool(settings.home)
    services = _services(settings, archive, spool, archive_failed)
    web = settings.web
    reserve = settings.archive.reserve_bytes
    limits = Limits(web.threads, web.connection_limit, web.max_body_bytes, spool, reserve)
    server = WebServer(create_app(services), web.host, web.port, limits)
    server.start()
    _publish(settings.runtime_directory, server, "ready")
    notices.ready()
    log.info("door open", host=web.host, port=server.port)
    while not stop.wait(PUBLISH_SECONDS) and server.running:
        _publish(settings.runtime_directory, server, "ready")
        notices.watchdog()
    notices.stopping()
    drained = server.stop(DRAIN_SECONDS)
    lifecycle.withdraw(settings.runtime_directory, ROOM)
    log.info("door closed", drained=drained)
    return EXIT_ARCHIVE_FAILED if failed.is_set() else EXIT_STOPPED


def _publish(runtime: Path, server: WebServer, state: str) -> None:
    lifecycle.publish(runtime, ROOM, {"state": state, "connections": server.connections})


def _spool(home: Path) -> Path:
    """Make the directory of bodies and answers too large for memory; what a crash left behind goes."""
    spool = home / "spool" / ROOM
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    # waitress spools request bodies with the tempfile module, and this is its only setting.
    tempfile.tempdir = str(spool)
    return spool


def _services(settings: Settings, archive: Archive, spool: Path, archive_failed: Callable[[], None]) -> Services:
    clock, runtime = SystemClock(), settings.runtime_directory
    registry = CollectorRegistry()
    files = certificate_files(settings, os.environ)
    sources = Sources(archive.numbers, archive.outbox, archive.proofs, runtime, files, clock)
    registry.register(ApplianceCollector(sources))
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
    )
