"""Peers that break the protocol are aborted or answered; nothing is left behind and others are served."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress

import pytest

from appliance.scp.pdu import MAX_ASSOCIATE_RQ
from tests.builders.instances import CT_IMAGE_STORAGE as CT
from tests.integration.scp.doors import OpenDoor, open_door
from tests.partners.raw_scu import (
    COMMAND,
    DATA,
    EXPLICIT,
    IMPLICIT,
    LAST,
    VERIFICATION,
    Aborted,
    RawScu,
    Rejected,
    associate_request,
    command_set,
    echo_command,
    pdu,
    pdv,
    store_command,
    uid_bytes,
    us,
)
from tests.waiting import wait_until

HOST = "127.0.0.1"
CONTEXTS = ((VERIFICATION, (IMPLICIT,)), (CT, (EXPLICIT,)))
MR = "1.2.840.10008.5.1.4.1.1.4"


def settled(door: OpenDoor) -> bool:
    """No association stands and no arrival is open."""
    return not door.reception.standing() and not any(arrival.open for arrival in door.ingest.arrivals)


def command(scu: RawScu, encoded: bytes, context_id: int = 3) -> None:
    scu.send(pdu(4, pdv(context_id, COMMAND | LAST, encoded)))


def begin_store(scu: RawScu) -> None:
    """A C-STORE with some of its data."""
    command(scu, store_command(CT, "1.2.3"))
    scu.send(pdu(4, pdv(3, DATA, bytes(1000))))


BROKEN: dict[str, tuple[Callable[[RawScu], None], int]] = {
    "a PDU over the agreed length": (lambda scu: scu.send(struct.pack(">BxL", 4, 131073)), 6),
    "a PDU of 4 GB": (lambda scu: scu.send(struct.pack(">BxL", 4, 0xFFFFFFFF)), 6),
    "a PDV longer than its PDU": (lambda scu: scu.send(pdu(4, struct.pack(">LBB", 100, 3, 3))), 6),
    "an unknown PDU": (lambda scu: scu.send(pdu(9, b"1234")), 1),
    "a second A-ASSOCIATE-RQ": (lambda scu: scu.send(associate_request("A", "B", CONTEXTS)), 2),
    "an A-RELEASE-RP": (lambda scu: scu.send(pdu(6, bytes(4))), 2),
    "data without a command": (lambda scu: scu.send(pdu(4, pdv(3, DATA | LAST, b"data"))), 6),
    "a context that was not accepted": (lambda scu: command(scu, store_command(CT, "1.2.3"), 5), 6),
    "a response": (lambda scu: command(scu, command_set([(0x0100, us(0x8001)), (0x0800, us(0x0101))])), 6),
    "no message ID": (lambda scu: command(scu, command_set([(0x0100, us(1)), (0x0800, us(0))])), 6),
    "noise for a command": (lambda scu: command(scu, b"\xff" * 50), 6),
}


# Data in the middle of a store is what belongs there.
CASES = [(case, midway) for case in BROKEN for midway in (False, True) if not (midway and "data" in case)]


@pytest.mark.parametrize(("case", "midway"), CASES)
def test_a_peer_that_breaks_the_protocol_is_aborted_with_the_reason(case: str, midway: bool) -> None:
    misbehave, reason = BROKEN[case]
    with open_door() as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        if midway:
            begin_store(scu)
        misbehave(scu)
        with pytest.raises(Aborted) as caught:
            scu.read_pdu()
        assert caught.value.codes == (2, reason)
        scu.close()
        wait_until(lambda: settled(door))
        assert door.ingest.received == []
        with RawScu(HOST, door.port) as next_scu:
            assert next_scu.echo() == 0


@pytest.mark.parametrize("how", ["abort", "close"])
def test_a_peer_that_leaves_midway_leaves_nothing_behind(how: str) -> None:
    with open_door() as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        begin_store(scu)
        wait_until(lambda: door.ingest.arrivals)
        getattr(scu, how)()
        wait_until(lambda: settled(door))
        assert door.ingest.discarded == 1
        assert door.ingest.received == []


def test_a_truncated_pdu_leaves_nothing_behind() -> None:
    with open_door() as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        command(scu, store_command(CT, "1.2.3"))
        scu.send(pdu(4, pdv(3, DATA | LAST, bytes(5000)))[:-1])
        wait_until(lambda: door.ingest.arrivals)
        scu.close()
        wait_until(lambda: settled(door))
        assert door.ingest.received == []


def test_a_release_midway_is_answered_and_the_object_forgotten() -> None:
    with open_door() as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        begin_store(scu)
        scu.release()
        wait_until(lambda: settled(door))
        assert door.ingest.discarded == 1


def test_several_values_in_one_pdu_and_empty_fragments_are_one_object() -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        encoded = store_command(CT, "1.2.3")
        scu.send(
            pdu(
                4,
                pdv(3, COMMAND, encoded[:7])
                + pdv(3, COMMAND | LAST, encoded[7:])
                + pdv(3, DATA, b"")
                + pdv(3, DATA, b"abc")
                + pdv(3, DATA, b"")
                + pdv(3, DATA | LAST, b""),
            )
        )
        assert scu.read_response().status == 0
        assert door.ingest.received[0].data == b"abc"


def test_a_pipelined_second_message_is_served_after_the_first() -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        store = pdu(4, pdv(3, 3, store_command(CT, "1.2.3", 1)) + pdv(3, 2, b"data"))
        scu.send(store + pdu(4, pdv(1, 3, echo_command(2))))
        assert [scu.read_response().status, scu.read_response().status] == [0, 0]


def test_bytes_that_arrive_one_by_one_are_one_message() -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        for byte in pdu(4, pdv(3, 3, store_command(CT, "1.2.3"))) + pdu(4, pdv(3, 2, b"data")):
            scu.send(bytes((byte,)))
        assert scu.read_response().status == 0
        assert door.ingest.received[0].data == b"data"


@pytest.mark.parametrize(
    ("context_id", "encoded"),
    [
        (1, store_command(CT, "1.2.3")),
        (3, store_command("1.2.3.4.5", "1.2.3")),
        (3, store_command(VERIFICATION, "1.2.3")),
        (3, store_command("", "1.2.3")),
    ],
)
def test_a_store_outside_its_context_is_refused_after_its_data(context_id: int, encoded: bytes) -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        command(scu, encoded, context_id)
        scu.send_fragments(context_id, DATA, bytes(300_000))
        assert scu.read_response().status == 0x0122
        assert scu.echo() == 0
        assert door.ingest.arrivals == []


def test_another_storage_class_than_the_contexts_is_stored() -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        assert scu.store(MR, "1.2.3", EXPLICIT, b"data", context_id=3) == 0
        assert door.ingest.received[0].sop_class_uid == MR


def test_a_store_without_a_data_set_is_refused() -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        command(scu, store_command(CT, "1.2.3", data_set_type=0x0101))
        assert scu.read_response().status == 0xC000
        assert scu.echo() == 0


def test_an_empty_data_set_reaches_ingest_and_its_verdict_counts() -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        assert scu.store(CT, "1.2.3", EXPLICIT, b"") == 0
        assert door.ingest.received[0].data == b""


@pytest.mark.parametrize("sop_uid", ["../../etc/passwd", "1." + "2" * 63, "", "1.2.3\r\nX: y"])
def test_a_strange_instance_uid_is_ingests_to_judge(sop_uid: str) -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        scu.store(CT, sop_uid, EXPLICIT, b"data")
        assert door.ingest.received[0].sop_uid == sop_uid


@pytest.mark.parametrize("field", [0x0020, 0x0021, 0x0010, 0x0140, 0x0150, 0x4444])
def test_operations_that_are_not_offered_are_refused_not_aborted(field: int) -> None:
    encoded = command_set([(0x0002, uid_bytes(CT)), (0x0100, us(field)), (0x0110, us(9)), (0x0800, us(0))])
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        command(scu, encoded)
        scu.send_fragments(3, DATA, b"identifier")
        response = scu.read_response()
        assert response.status == 0x0211
        assert response.elements[0x0100] == us(field | 0x8000)
        assert scu.echo() == 0


def test_an_echo_in_a_storage_context_is_refused() -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        command(scu, echo_command(5), 3)
        assert scu.read_response().status == 0x0122


def test_a_cancel_of_nothing_is_ignored() -> None:
    cancel = command_set([(0x0100, us(0x0FFF)), (0x0120, us(1)), (0x0800, us(0x0101))])
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        for _ in range(30):
            command(scu, cancel)
        assert scu.echo() == 0


@pytest.mark.parametrize(
    "opening",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        pdu(4, pdv(1, 3, b"data")),
        struct.pack(">BxL", 1, MAX_ASSOCIATE_RQ),
        struct.pack(">BxL", 1, 0xFFFFFFFF),
        pdu(1, b"short"),
    ],
)
def test_what_does_not_open_with_a_request_is_aborted_without_a_slot(opening: bytes) -> None:
    with open_door() as door:
        scu = RawScu(HOST, door.port).connect()
        scu.send(opening)
        with pytest.raises(Aborted) as caught:
            scu.read_pdu()
        assert caught.value.codes is not None
        scu.close()
        assert door.tally.snapshot()["associations"]["total"] == 0
        wait_until(lambda: door.server.waiting == 0)


@pytest.mark.parametrize(
    "items",
    [
        b"",
        b"\x10\x00\xff\xff",
        b"\x20\x00\x00\x04\x01\x00\x00\x00",
        b"\x20\x00\x00\x04\x02\x00\x00\x00" * 300,
        b"\x50\x00\x00\x08\x51\x00\x00\x04\x00\x00\x00\x07",
        b"\xff" * 1000,
    ],
)
def test_a_request_that_cannot_be_decoded_ends_that_association_only(items: bytes) -> None:
    fixed = associate_request("A", "APPLIANCE", ())[6:74]
    with open_door() as door:
        scu = RawScu(HOST, door.port).connect()
        scu.send(pdu(1, fixed + items))
        with suppress(Aborted):
            scu.read_pdu()
        scu.close()
        wait_until(lambda: settled(door))
        with RawScu(HOST, door.port) as next_scu:
            assert next_scu.echo() == 0


@pytest.mark.parametrize("title", ["", "A\\B", "\x01\x02", "\xe4\xf6", "A" * 16])
def test_strange_titles_end_in_order(title: str) -> None:
    with open_door() as door:
        fixed = bytearray(associate_request("X", "APPLIANCE", CONTEXTS))
        fixed[26:42] = title.encode("latin-1").ljust(16)
        scu = RawScu(HOST, door.port).connect()
        scu.send(bytes(fixed))
        with suppress(Aborted, Rejected):
            scu.read_pdu()
        scu.close()
        wait_until(lambda: settled(door))


def test_an_echo_that_cannot_be_decoded_is_aborted() -> None:
    broken = command_set(
        [(0x0002, uid_bytes(VERIFICATION)), (0x0100, us(0x30)), (0x0110, us(1)), (0x0800, us(0x0101)), (0x0900, b"x")]
    )
    with open_door() as door:
        scu = RawScu(HOST, door.port, contexts=CONTEXTS).open()
        command(scu, broken, 1)
        with suppress(Aborted):
            assert scu.read_response().status == 0
        scu.close()
        wait_until(lambda: settled(door))
