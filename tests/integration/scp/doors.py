"""A DICOM door on a random loopback port, in this process, on an archive in memory."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from appliance.clock import SystemClock
from appliance.scp.access import AllowList, Peer
from appliance.scp.contexts import ContextTable
from appliance.scp.listeners import Tls, listen
from appliance.scp.lobby import LobbyLimits
from appliance.scp.reception import Reception
from appliance.scp.server import Server
from appliance.scp.slots import Slots
from appliance.scp.tally import Tally
from appliance.scp.terms import Terms
from tests.partners.memory_ingest import MemoryIngest


@dataclass
class Fixed:
    """A context that never changes."""

    tls: ssl.SSLContext

    def context(self) -> ssl.SSLContext:
        """Return it."""
        return self.tls


@dataclass
class RememberedCallers:
    """The callers that were turned away."""

    rejected: list[tuple[str, str, str]] = field(default_factory=list)

    def reject(self, ae_title: str, address: str, reason: str) -> None:
        """Remember one."""
        self.rejected.append((ae_title, address, reason))


@dataclass
class OpenDoor:
    """A running door and what it is connected to."""

    port: int
    tls_port: int | None
    server: Server
    ingest: MemoryIngest
    tally: Tally
    callers: RememberedCallers
    reception: Reception
    failures: list[str]


@contextmanager
def open_door(
    *,
    peers: Sequence[Peer] = (),
    accept_unknown: bool = True,
    require_called_ae: bool = False,
    private_sop_classes: Sequence[str] = (),
    max_associations: int = 64,
    max_per_peer: int = 64,
    max_waiting: int = 256,
    max_waiting_per_peer: int = 256,
    request_timeout: float = 10.0,
    tls_timeout: float = 5.0,
    network_timeout: float = 20.0,
    max_pdu: int = 131072,
    max_object_bytes: int = 1 << 30,
    tls: ssl.SSLContext | Tls | None = None,
    ingest: MemoryIngest | None = None,
) -> Iterator[OpenDoor]:
    """Open a door with these terms; it is drained, without patience, at the end."""
    clock, tally, callers, failures = SystemClock(), Tally(), RememberedCallers(), list[str]()
    ingest = ingest or MemoryIngest()
    terms = Terms(
        ae_title="APPLIANCE",
        contexts=ContextTable.of(private_sop_classes),
        ingest=ingest,
        tally=tally,
        clock=clock,
        max_pdu=max_pdu,
        max_object_bytes=max_object_bytes,
        network_timeout=network_timeout,
        archive_failed=lambda: failures.append("archive failed"),
    )
    allow_list = AllowList("APPLIANCE", peers, accept_unknown, require_called_ae)
    reception = Reception(terms, allow_list, Slots(max_associations, max_per_peer), callers)
    source = Fixed(tls) if isinstance(tls, ssl.SSLContext) else tls
    listeners = [listen("127.0.0.1", 0)] + ([listen("127.0.0.1", 0, source)] if source else [])
    limits = LobbyLimits(request_timeout, tls_timeout, max_waiting, max_waiting_per_peer)
    server = Server(listeners, limits, reception, clock)
    ports = [listener.port for listener in listeners]
    server.start()
    try:
        tls_port = ports[1] if tls else None
        yield OpenDoor(ports[0], tls_port, server, ingest, tally, callers, reception, failures)
    finally:
        ingest.gate.set()
        server.drain(0.0)
