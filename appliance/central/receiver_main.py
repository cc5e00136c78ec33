"""The receiver: builds the application from the settings, serves it on its doors until told to stop."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry

from appliance import activation, lifecycle, logs
from appliance.archive.reserve import Reserve
from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.archive.uploads import UploadLimits, Uploads
from appliance.central.app import create_app
from appliance.central.doors import Door, knows
from appliance.central.metrics import ReceiverCollector, ReceiverMetrics
from appliance.central.postgres_link import PostgresSettings
from appliance.central.receipt_import import SOURCE, ReceiptImport
from appliance.central.receipts_writer import PostgresReceiptSource
from appliance.central.refusals import Refusals
from appliance.central.registry import Registry
from appliance.central.services import Services
from appliance.central.taking import Taking
from appliance.central.upload_metrics import UploadMetrics
from appliance.central.uploads import UploadDoor
from appliance.clock import SystemClock
from appliance.config import Settings, credential
from appliance.errors import ConfigurationError
from appliance.http.access_log import AccessLog
from appliance.http.server import Limits, WebServer
from appliance.liveness import Liveness
from appliance.signatures import Signer, load_signer

ROOM = "receiver"
KEY = "central.receiver"
PUBLISH_SECONDS = 1.0
# The loop behind all connections of a door turns about once a second.
LOOP_SECONDS = 30.0
DRAIN_SECONDS = 30.0
EXIT_STOPPED = 0
# EX_SOFTWARE: the archive failed and only a fresh process may answer success again.
EXIT_ARCHIVE_FAILED = 70


def main(settings: Settings) -> int:
    """Serve boxes until SIGTERM or SIGINT, or until the archive fails; returns the exit code.

    Raises ConfigurationError and SchemaMismatch before anything is served.
    """
    logs.configure(settings.log.level, settings.log.format, ROOM)
    signer = _signer(settings)
    stop = lifecycle.Stop()
    stop.install()
    notices = lifecycle.Notices()
    try:
        notices.opening()
        archive = Archive.open(ArchiveSettings(**settings.archive_values()), ROOM, housekeeping=True)
        try:
            return _Receiver(settings, archive, signer, stop, notices).run()
        finally:
            archive.close()
    finally:
        notices.close()
        stop.close()


@dataclass
class _Receiver:
    """One run of the receiver."""

    settings: Settings
    archive: Archive
    signer: Signer
    stop: lifecycle.Stop
    notices: lifecycle.Notices
    liveness: Liveness = field(default_factory=Liveness)

    def run(self) -> int:
        """Open the doors, serve, end in order."""
        log, notices, failed = logs.get_logger(__name__), self.notices, threading.Event()

        def archive_failed() -> None:
            failed.set()
            self.stop.set()

        importing = self._importing()
        services, door = self._services(archive_failed, importing)
        servers = self._servers(services, door)
        threads: list[Refusals | AccessLog | ReceiptImport] = [services.refusals, services.accesses]
        if importing is not None:
            threads.append(importing)
        for thread in threads:
            thread.start()
        for number, server in enumerate(servers, 1):
            server.start(self.liveness.part(f"http loop {number}", LOOP_SECONDS).beat)
        self.archive.live_in(self.liveness)
        self._publish(servers)
        notices.status("taking objects from boxes")
        notices.ready()
        receiver = self.settings.central.receiver
        log.info("door open", host=receiver.host, port=servers[0].port, socket=str(receiver.socket or ""))
        while not self.stop.wait(PUBLISH_SECONDS) and all(server.running for server in servers):
            self._publish(servers)
            self.liveness.feed(notices.watchdog)
        notices.draining(DRAIN_SECONDS * len(servers))
        drained = [server.stop(DRAIN_SECONDS) for server in servers]
        for thread in threads:
            thread.stop()
        lifecycle.withdraw(self.settings.runtime_directory, ROOM)
        log.info("door closed", drained=all(drained))
        return EXIT_ARCHIVE_FAILED if failed.is_set() else EXIT_STOPPED

    def _publish(self, servers: list[WebServer]) -> None:
        connections = sum(server.connections for server in servers)
        numbers = {"state": "ready", "connections": connections, **self.liveness.snapshot()}
        try:
            lifecycle.publish(self.settings.runtime_directory, ROOM, numbers)
        except OSError as error:
            # A full disk must not close the door: it is the door that says so.
            logs.get_logger(__name__).warning("numbers not published", reason=error.strerror)

    def _services(
        self, archive_failed: Callable[[], None], importing: ReceiptImport | None
    ) -> tuple[Services, UploadDoor]:
        archive, settings = self.archive, self.settings
        metrics = CollectorRegistry()
        metrics.register(ReceiverCollector(archive, SOURCE, lambda: importing.up if importing else None))
        taking = Taking(archive, metrics)
        services = Services(
            archive=archive,
            registry=Registry(settings.central.registry),
            signer=self.signer,
            taking=taking,
            refusals=Refusals(archive.callers, metrics),
            accesses=AccessLog(archive.accesses),
            metrics=ReceiverMetrics(metrics),
            clock=archive.clock,
            runtime=settings.runtime_directory,
            receipt_page=settings.central.receiver.receipt_page,
            archive_failed=archive_failed,
        )
        uploads = _uploads(settings)
        numbers = UploadMetrics(metrics, uploads)
        return services, UploadDoor(uploads, taking.receive, taking.holds, numbers, taking.confirm)

    def _servers(self, services: Services, door: UploadDoor) -> list[WebServer]:
        receiver = self.settings.central.receiver
        app = create_app(services, door, receiver.max_body_bytes)
        spool = _spool(self.settings.home)

        def limits(*, proxied: bool) -> Limits:
            return Limits(
                receiver.threads,
                receiver.connection_limit,
                receiver.max_body_bytes,
                spool,
                self.settings.archive.reserve_bytes,
                knows=knows(services.registry, proxied=proxied),
            )

        tcp, proxied = Door(app, proxied=False), Door(app, proxied=True)
        handed = _handed()
        servers = [WebServer(tcp, receiver.host, receiver.port, limits(proxied=False), KEY)]
        servers += [WebServer.on_listening(proxied, sock, limits(proxied=True)) for sock in handed]
        if receiver.socket is not None and not handed:
            servers.append(WebServer.on_socket(proxied, receiver.socket, limits(proxied=True), KEY))
        return servers

    def _importing(self) -> ReceiptImport | None:
        central = self.settings.central
        if not central.receiver.import_receipts:
            return None
        source = PostgresReceiptSource(PostgresSettings(**central.postgres.values(os.environ)))
        return ReceiptImport(source, self.archive.receipts, Registry(central.registry), central.receiver.import_seconds)


def _handed() -> list[socket.socket]:
    """Return the sockets for the proxy that the service manager listens on. Raises ConfigurationError for others."""
    handed = activation.inherited(os.environ)
    mine = handed.get(ROOM, [])
    if any(sock.family != socket.AF_UNIX for sock in mine):
        activation.close(handed)
        raise ConfigurationError(
            "the service manager hands over a socket of the network, where anybody could claim to be the proxy",
            hint="write a path into ListenStream= of dicom-edge-central-receiver.socket",
        )
    return mine


def _signer(settings: Settings) -> Signer:
    path = credential(settings.central.signature_key_file, os.environ, "central.signature_key_file")
    if path is None:
        hint = "set central.signature_key_file; appliance-pki issue signing makes a key"
        raise ConfigurationError("the receiver has no key to sign receipts with", hint=hint)
    return load_signer(path)


def _uploads(settings: Settings) -> Uploads:
    receiver, home = settings.central.receiver, settings.home
    limits = UploadLimits(receiver.upload_quota_bytes, settings.archive.max_object_bytes, receiver.upload_days)
    return Uploads(home / "uploads", limits, Reserve(home, settings.archive.reserve_bytes), SystemClock())


def _spool(home: Path) -> Path:
    """Make the directory of bodies too large for memory; what a crash left behind was never acknowledged."""
    spool = home / "spool" / ROOM
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    # waitress spools request bodies with the tempfile module, and this is its only setting.
    tempfile.tempdir = str(spool)
    return spool
