"""The DICOM room: builds the door from the settings, runs it until told to stop, drains it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance import activation, lifecycle, logs
from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.clock import SystemClock
from appliance.config import ScpSection, Settings
from appliance.errors import ArchiveFailed, ConfigurationError
from appliance.liveness import Attentive, Liveness
from appliance.model.records import ConflictPolicy
from appliance.scp.access import AllowList, Peer, accepts_unknown
from appliance.scp.contexts import ContextTable
from appliance.scp.listeners import Listener, adopt, listen
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
# Whoever lets connections in is heard of every few seconds (lobby.LONGEST_TURN).
LOBBY_SECONDS = 30.0
# Every caller turned away, each with a commit of its own, on a slow disk that others write to.
REJECTIONS_SECONDS = 600.0
# What the sockets are called that a service manager binds: FileDescriptorName= of their units.
PLAIN = "dicom"
TLS = "dicom-tls"
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
    notices = lifecycle.Notices()
    try:
        notices.opening()
        archive = Archive.open(ArchiveSettings(**settings.archive_values()), ROOM, housekeeping=True)
        try:
            return _Room(settings, archive, stop, notices).run()
        finally:
            archive.close()
    finally:
        notices.close()
        stop.close()


@dataclass(frozen=True, slots=True)
class _Door:
    server: Server
    listeners: tuple[Listener, ...]


class _Room:
    """One run of the room."""

    def __init__(self, settings: Settings, archive: Archive, stop: lifecycle.Stop, notices: lifecycle.Notices) -> None:
        self._settings = settings
        self._archive = archive
        self._stop = stop
        self._notices = notices
        self._liveness = Liveness()
        self._tally = Tally()
        self._rejections = Rejections(archive.callers)
        self._writing = Attentive(stop, self._liveness.part("rejections", REJECTIONS_SECONDS))
        self._failed = threading.Event()
        self._runtime: Path = settings.runtime_directory

    def run(self) -> int:
        """Open the door, publish until stopped, drain."""
        log, notices = logs.get_logger(__name__), self._notices
        scp = self._settings.scp
        door = self._open(scp)
        ports = [listener.port for listener in door.listeners]
        rejections = threading.Thread(target=self._write_rejections, name="rejections", daemon=True)
        door.server.start()
        rejections.start()
        self._archive.live_in(self._liveness)
        self._publish(door.server, "ready")
        notices.status(f"receiving as {scp.ae_title} on {', '.join(map(str, ports))}")
        notices.ready()
        log.info("door open", ports=ports, ae_title=scp.ae_title)
        while not self._stop.wait(PUBLISH_SECONDS):
            self._publish(door.server, "ready")
            if not door.server.alive:
                log.error("nobody accepts connections any more")
                self._fail()
            self._liveness.feed(notices.watchdog)
        notices.draining(scp.drain_timeout)
        self._publish(door.server, "draining")
        drained = door.server.drain(scp.drain_timeout)
        rejections.join()
        self._flush()  # those that the drain turned away
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
        listeners = _listeners(scp, activation.inherited(os.environ))
        allowed = _allow_list(scp, [listener.address for listener in listeners])
        reception = Reception(terms, allowed, slots, self._rejections)
        lobby = self._liveness.part("lobby", LOBBY_SECONDS)
        return _Door(Server(listeners, _limits(scp), reception, clock, lobby.beat), listeners)

    def _fail(self) -> None:
        self._failed.set()
        self._stop.set()

    def _write_rejections(self) -> None:
        """Beside the main loop, which feeds the watchdog: the disk may take its time, and a scan brings hundreds."""
        try:
            while not self._writing.wait(PUBLISH_SECONDS):
                self._flush()
        finally:
            if not self._stop.is_set():
                self._fail()

    def _flush(self) -> None:
        try:
            self._rejections.flush()
        except ArchiveFailed as error:
            logs.get_logger(__name__).error("archive failed", reason=str(error))
            self._fail()

    def _publish(self, server: Server, state: str) -> None:
        numbers: dict[str, Any] = {"state": state, "waiting": server.waiting, **self._tally.snapshot()}
        numbers |= self._liveness.snapshot()
        try:
            lifecycle.publish(self._runtime, ROOM, numbers)
        except OSError as error:
            # A full disk must not close the door: it is the door that answers 0xA700.
            logs.get_logger(__name__).warning("numbers not published", reason=error.strerror)


def _allow_list(scp: ScpSection, addresses: Sequence[str]) -> AllowList:
    """Return whom the door lets in; what strangers may do depends on the addresses that it really listens on."""
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
    unknown = all(accepts_unknown(scp.accept_unknown, address) for address in addresses)
    return AllowList(scp.ae_title, peers, unknown, scp.require_called_ae)


def _limits(scp: ScpSection) -> LobbyLimits:
    # Half of the lobby at most for one address: clinics put many modalities behind one router.
    return LobbyLimits(
        request_timeout=scp.request_timeout,
        tls_timeout=scp.tls_timeout,
        max_waiting=scp.max_waiting,
        max_waiting_per_peer=max(1, scp.max_waiting // 2),
    )


def _listeners(scp: ScpSection, handed: Mapping[str, list[socket.socket]]) -> tuple[Listener, ...]:
    """Take the sockets that were handed over, plain and TLS; without any, bind by the configuration.

    Never both: whoever has taken a port away from the service manager does not find it open all the same.
    Raises ConfigurationError, with nothing left open.
    """
    found: list[Listener] = []
    with ExitStack() as failing:
        failing.callback(activation.close, handed)
        tls = _server_tls(scp)
        if TLS in handed and tls is None:
            raise ConfigurationError(
                "the service manager listens for DICOM with TLS, and scp.tls_certificate and scp.tls_key are not set",
                hint="set both, or stop and disable dicom-edge-scp-tls.socket",
            )
        if strange := handed.keys() - {PLAIN, TLS}:
            raise ConfigurationError(
                f"the service manager hands over sockets that nobody serves: {', '.join(sorted(strange))}",
                hint=f"their units need FileDescriptorName={PLAIN} or {TLS}",
            )
        found += [adopt(sock) for sock in handed.get(PLAIN, ())]
        found += [adopt(sock, tls) for sock in handed.get(TLS, ())]
        for port, shaken in () if handed else _ports(scp, tls):
            found.append(listen(scp.host, port, shaken))
            failing.callback(found[-1].sock.close)
        failing.pop_all()
    return tuple(found)


def _ports(scp: ScpSection, tls: ServerTls | None) -> list[tuple[int, ServerTls | None]]:
    plain: list[tuple[int, ServerTls | None]] = [(port, None) for port in (scp.port, *scp.additional_ports)]
    return plain if tls is None or scp.tls_port is None else [*plain, (scp.tls_port, tls)]


def _server_tls(scp: ScpSection) -> ServerTls | None:
    if scp.tls_certificate is None or scp.tls_key is None:
        return None
    files = TlsFiles(scp.tls_certificate, scp.tls_key, scp.tls_ca, scp.tls_crl)
    return ServerTls(files, SystemClock().monotonic)
