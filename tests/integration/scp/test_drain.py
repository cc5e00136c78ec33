"""Stopping: what is under way is answered, what is idle is aborted, nobody new is accepted."""

from __future__ import annotations

import threading
import time

import pytest

from tests.builders.instances import CT_IMAGE_STORAGE as CT
from tests.integration.scp.doors import open_door
from tests.partners.raw_scu import DATA, EXPLICIT, LAST, Aborted, RawScu, pdu, pdv, store_command
from tests.waiting import wait_until

HOST = "127.0.0.1"
CONTEXTS = ((CT, (EXPLICIT,)),)


def test_an_idle_association_is_aborted_and_the_port_closed() -> None:
    with open_door() as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        begun = time.monotonic()
        assert door.server.drain(20)
        assert time.monotonic() - begun < 10
        with pytest.raises(Aborted) as caught:
            scu.read_pdu()
        assert caught.value.codes == (0, 0)
        scu.close()
        with pytest.raises(ConnectionRefusedError):
            RawScu(HOST, door.port).open()


def test_a_store_under_way_is_finished_and_answered() -> None:
    with open_door() as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        scu.send(pdu(4, pdv(1, 3, store_command(CT, "1.2.3")) + pdv(1, DATA, b"first")))
        wait_until(lambda: door.ingest.arrivals)
        drained: list[bool] = []
        drain = threading.Thread(target=lambda: drained.append(door.server.drain(20)))
        drain.start()
        scu.send(pdu(4, pdv(1, DATA | LAST, b"second")))
        assert scu.read_response().status == 0
        assert door.ingest.received[0].data == b"firstsecond"
        scu.release()
        drain.join(10)
        assert drained == [True]


def test_a_store_that_is_being_committed_is_answered() -> None:
    with open_door() as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        door.ingest.gate.clear()
        scu.send(pdu(4, pdv(1, 3, store_command(CT, "1.2.3")) + pdv(1, DATA | LAST, b"data")))
        wait_until(lambda: door.ingest.arrivals)
        drain = threading.Thread(target=door.server.drain, args=(20,))
        drain.start()
        door.ingest.gate.set()
        assert scu.read_response().status == 0
        with pytest.raises(Aborted):
            scu.read_pdu()
        scu.close()
        drain.join(10)


def test_a_sender_that_does_not_end_is_cut_at_the_timeout() -> None:
    with open_door() as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        scu.send(pdu(4, pdv(1, 3, store_command(CT, "1.2.3")) + pdv(1, DATA, b"first")))
        wait_until(lambda: door.ingest.arrivals)
        assert door.server.drain(0.3)
        assert door.ingest.discarded == 1
        with pytest.raises(Aborted):
            scu.read_pdu()
        scu.close()


def test_connections_in_the_lobby_are_closed() -> None:
    with open_door() as door:
        scu = RawScu(HOST, door.port).connect()
        wait_until(lambda: door.server.waiting == 1)
        assert door.server.drain(5)
        assert scu.closed_by_peer()
        scu.close()
