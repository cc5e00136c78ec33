"""The DICOM room: builds the door from the settings, runs it until told to stop, drains it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance import lifecycle, logs
from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.clock import SystemClock
from appliance.config import ScpSection, Settings
from appliance.errors import ArchiveFailed
from appliance.model.records import ConflictPolicy
from appliance.scp.access import AllowList, Peer, accepts_unknown
from appliance.scp.contexts import ContextTable
from appliance.scp.listeners import Listener, listen
from appliance.scp.lobby import LobbyLimits
from appliance.scp.reception import Reception
from appliance.scp.rejections import Rejections
from appliance.scp.server import Server
from appliance.scp.slots import Slots
from appliance.scp.tally import Tally
from appliance.scp.terms import Terms
from appliance.tls_files import ServerTls, TlsFiles

ROOM = "scp"
PUBLISH_SECONDS = 1.0
EXIT_DRAINED = 0
# EX_SOFTWARE: the archive or the lobby failed; only a fresh process may answer success again.
EXIT_FAILED = 70


def main(settings: Settings) -> int:
    """Serve DICOM until SIGTERM or SIGINT, or until the archive fails (70); returns the exit code.

    Raises ConfigurationError and SchemaMismatch before anything is served.
    """
    logs.configure(settings.log.level, settings.log.format, ROOM)
    stop = lifecycle.Stop()
    stop.install()
    archive = Archive.open(ArchiveSettings(**settings.archive_values()), ROOM, housekeeping=True)
    try:
        return _Room(settings, archive, stop).run()
    finally:
        archive.close()
        stop.close()


@dataclass(frozen=True, slots=True)
class _Door:
    server: Server
    listeners: tuple[Listener, ...]


class _Room:
    """One run of the room."""

    def __init__(self, settings: Settings, archive: Archive, stop: lifecycle.Stop) -> None:
        self._settings = settings
        self._archive = archive
        self._stop = stop
        self._tally = Tally()
        self._rejections = Rejections(archive.callers)
        self._failed = threading.Event()
        self._runtime: Path = settings.runtime_directory

    def run(self) -> int:
        """Open the door, publish until stopped, drain."""
        log, notices = logs.get_logger(__name__), lifecycle.Notices()
        scp = self._settings.scp
        door = self._open(scp)
        door.server.start()
        self._publish(door.server, "ready")
        notices.ready()
        log.info("door open", ports=[listener.port for listener in door.listeners], ae_title=scp.ae_title)
        while not self._stop.wait(PUBLISH_SECONDS):
            self._publish(door.server, "ready")
            if not door.server.alive:
                log.error("nobody accepts connections any more")
                self._fail()
            notices.watchdog()
        notices.stopping()
        self._publish(door.server, "draining")
        drained = door.server.drain(scp.drain_timeout)
        self._write_rejections()
        lifecycle.withdraw(self._runtime, ROOM)
        log.info("door closed", drained=drained)
        return EXIT_FAILED if self._failed.is_set() else EXIT_DRAINED

    def _open(self, scp: ScpSection) -> _Door:
        clock = SystemClock()
        terms = Terms(
            ae_title=scp.ae_title,
            contexts=ContextTable.of(scp.private_sop_classes),
            ingest=self._archive.ingest,
            tally=self._tally,
            clock=clock,
            max_pdu=scp.max_pdu,
            max_object_bytes=self._settings.archive.max_object_bytes,
            network_timeout=scp.network_timeout,
            archive_failed=self._fail,
        )
        slots = Slots(scp.max_associations, scp.max_associations_per_peer)
        reception = Reception(terms, _allow_list(scp), slots, self._rejections)
        listeners = _listeners(scp)
        return _Door(Server(listeners, _limits(scp), reception, clock), listeners)

    def _fail(self) -> None:
        self._failed.set()
        self._stop.set()

    def _write_rejections(self) -> None:
        try:
            self._rejections.flush()
        except ArchiveFailed as error:
            logs.get_logger(__name__).error("archive failed", reason=str(error))
            self._fail()

    def _publish(self, server: Server, state: str) -> None:
        self._write_rejections()
        numbers: dict[str, Any] = {"state": state, "waiting": server.waiting, **self._tally.snapshot()}
        try:
            lifecycle.publish(self._runtime, ROOM, numbers)
        except OSError as error:
            # A full disk must not close the door: it is the door that answers 0xA700.
            logs.get_logger(__name__).warning("numbers not published", reason=error.strerror)


def _allow_list(scp: ScpSection) -> AllowList:
    peers = tuple(
        Peer(
            ae_title=entry.ae_title,
            address=entry.address or "",
            assumed_charset=entry.assumed_charset,
            conflict_policy=ConflictPolicy(entry.conflict_policy),
            transfer_syntaxes=tuple(entry.transfer_syntaxes),
            certificates=entry.certificate_sha256,
        )
        for entry in scp.peers
    )
    unknown = accepts_unknown(scp.accept_unknown, scp.host)
    return AllowList(scp.ae_title, peers, unknown, scp.require_called_ae)


def _limits(scp: ScpSection) -> LobbyLimits:
    # Half of the lobby at most for one address: clinics put many modalities behind one router.
    return LobbyLimits(
        request_timeout=scp.request_timeout,
        tls_timeout=scp.tls_timeout,
        max_waiting=scp.max_waiting,
        max_waiting_per_peer=max(1, scp.max_waiting // 2),
    )


def _listeners(scp: ScpSection) -> tuple[Listener, ...]:
    plain = listen(scp.host, scp.port)
    if scp.tls_port is None or scp.tls_certificate is None or scp.tls_key is None:
        return (plain,)
    files = TlsFiles(scp.tls_certificate, scp.tls_key, scp.tls_ca, scp.tls_crl)
    return plain, listen(scp.host, scp.tls_port, ServerTls(files, SystemClock().monotonic))
