"""Floods, silence and trickles: whoever asks properly still gets in, and nobody stays for ever."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.builders import instances
from tests.builders.instances import CT_IMAGE_STORAGE as CT
from tests.integration.scp.doors import open_door
from tests.partners import dcmtk
from tests.partners.raw_scu import (
    DATA,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    Aborted,
    RawScu,
    Rejected,
    associate_request,
    pdu,
    pdv,
    store_command,
)
from tests.waiting import wait_until

HOST = "127.0.0.1"
CONTEXTS = ((VERIFICATION, (IMPLICIT,)), (CT, (EXPLICIT,)))
HALF_A_REQUEST = associate_request("A", "APPLIANCE", CONTEXTS)[:50]


def idlers(stack: ExitStack, port: int, count: int, opening: bytes = b"") -> list[socket.socket]:
    """Connections that send `opening` and then nothing."""
    sockets = []
    for _ in range(count):
        sockets.append(stack.enter_context(socket.create_connection((HOST, port), 10)))
        if opening:
            sockets[-1].sendall(opening)
    return sockets


@pytest.mark.parametrize("opening", [b"", HALF_A_REQUEST, b"\x01\x00\x00\x03\x00\x00"])
def test_200_idle_or_half_open_connections_keep_no_modality_out(opening: bytes, tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(instances.part10(instances.ct()))
    with open_door(max_waiting=64, max_waiting_per_peer=64) as door, ExitStack() as stack:
        idlers(stack, door.port, 200, opening)
        begun = time.monotonic()
        dcmtk.storescu(dcmtk.Peer(door.port), [path])
        assert time.monotonic() - begun < 3
        assert len(door.ingest.received) == 1
        assert door.server.waiting <= 64


def test_the_oldest_of_the_heaviest_address_makes_room() -> None:
    with open_door(max_waiting=5) as door, ExitStack() as stack:
        sockets = idlers(stack, door.port, 6)
        sockets[0].settimeout(5)
        assert sockets[0].recv(1) == b""
        assert door.server.waiting == 5


def test_a_connection_that_asks_for_nothing_is_closed_in_time() -> None:
    with open_door(request_timeout=0.3) as door, ExitStack() as stack:
        silent, half = idlers(stack, door.port, 1)[0], idlers(stack, door.port, 1, HALF_A_REQUEST)[0]
        for sock in (silent, half):
            sock.settimeout(5)
            assert sock.recv(1) == b""
        wait_until(lambda: door.server.waiting == 0)


def test_a_flood_of_associations_is_refused_for_now() -> None:
    with open_door(max_associations=3) as door, ExitStack() as stack:
        scus = [RawScu(HOST, door.port).open() for _ in range(3)]
        for scu in scus:
            stack.callback(scu.close)
        with pytest.raises(Rejected) as caught:
            RawScu(HOST, door.port).open()
        assert caught.value.codes == (2, 3, 1)
        scus[0].release()
        wait_until(lambda: len(door.reception.standing()) == 2)
        with RawScu(HOST, door.port) as scu:
            assert scu.echo() == 0


def test_one_address_cannot_take_every_slot() -> None:
    with open_door(max_associations=10, max_per_peer=2) as door, ExitStack() as stack:
        for _ in range(2):
            stack.callback(RawScu(HOST, door.port).open().close)
        with pytest.raises(Rejected) as caught:
            RawScu(HOST, door.port).open()
        assert caught.value.codes == (2, 3, 1)


def test_an_association_that_falls_silent_is_aborted() -> None:
    with open_door(network_timeout=0.3) as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        scu.send(pdu(4, pdv(3, 3, store_command(CT, "1.2.3"))) + pdu(4, pdv(3, DATA, b"some")))
        with pytest.raises(Aborted) as caught:
            scu.read_pdu()
        assert caught.value.codes == (2, 0)
        scu.close()
        wait_until(lambda: door.ingest.discarded == 1)
        wait_until(lambda: not door.reception.standing())


def test_a_trickle_is_not_progress() -> None:
    with open_door(network_timeout=0.4) as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        scu.send(pdu(4, pdv(3, 3, store_command(CT, "1.2.3"))))
        scu.sock.settimeout(0.05)
        drops = iter(pdu(4, pdv(3, DATA, bytes(5000))))

        def trickle() -> bool:
            try:
                scu.send(bytes((next(drops),)))
                scu.read_pdu()
            except (Aborted, ConnectionError):
                return True
            except TimeoutError:
                return False
            return False

        wait_until(trickle, 10)
        scu.close()
        wait_until(lambda: door.ingest.discarded == 1)


def test_a_peer_that_does_not_read_its_answers_is_dropped() -> None:
    with open_door(network_timeout=0.5) as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        scu.sock.settimeout(0.2)
        scu.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        flood = pdu(4, pdv(3, 3, store_command(CT, "1.2.3", data_set_type=0x0101))) * 1000

        def stuffed() -> bool:
            with suppress(TimeoutError, ConnectionError):
                scu.send(flood)
            return not door.reception.standing()

        wait_until(stuffed, 20)
        scu.close()
