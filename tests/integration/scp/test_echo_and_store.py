"""C-ECHO and C-STORE over real sockets: what is answered for what happens."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from appliance.errors import ArchiveFailed, Busy, DiskFull, Misidentified, TooLarge, Unparseable
from appliance.model.records import ConflictPolicy, Door, Result
from appliance.scp.access import Peer
from tests.builders import instances
from tests.integration.scp.doors import open_door
from tests.partners import dcmtk
from tests.partners.memory_ingest import Faults, MemoryIngest
from tests.partners.raw_scu import EXPLICIT, IMPLICIT, VERIFICATION, RawScu
from tests.waiting import wait_until

CT = instances.CT_IMAGE_STORAGE
CONTEXTS = ((VERIFICATION, (IMPLICIT,)), (CT, (EXPLICIT,)))
HOST = "127.0.0.1"


def test_echoscu_is_answered() -> None:
    with open_door() as door:
        assert "Success" in dcmtk.echoscu(dcmtk.Peer(door.port), "-v").stderr


def test_storescu_stores_what_it_has(tmp_path: Path) -> None:
    paths = []
    for number, dataset in enumerate(instances.series(5)):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(instances.part10(dataset))
    with open_door() as door:
        dcmtk.storescu(dcmtk.Peer(door.port), paths)
        assert len(door.ingest.received) == 5
        assert door.ingest.received[0].sop_class_uid == CT


def test_the_bytes_stored_are_the_bytes_sent() -> None:
    data = bytes(range(256)) * 2000
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        assert scu.store(CT, "1.2.3", EXPLICIT, data) == 0x0000
        received = door.ingest.received[0]
        assert received.data == data
        assert (received.transfer_syntax_uid, received.sop_uid) == (EXPLICIT, "1.2.3")


@pytest.mark.parametrize("fragment", [1, 2, 61, 4096, 131066])
def test_fragmentation_does_not_matter(fragment: int) -> None:
    data = bytes(range(251)) * (3 if fragment == 1 else 600)
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        assert scu.store(CT, "1.2.3", EXPLICIT, data, fragment=fragment) == 0x0000
        assert door.ingest.received[0].data == data


def test_the_origin_says_who_sent_it_and_what_is_configured_for_it() -> None:
    peer = Peer("CT1", "127.0.0.0/8", assumed_charset="gbk", conflict_policy=ConflictPolicy.NEWEST)
    with open_door(peers=[peer]) as door:
        with RawScu(HOST, door.port, calling="CT1", contexts=CONTEXTS) as scu:
            scu.store(CT, "1.2.3", EXPLICIT, b"one")
            scu.store(CT, "1.2.4", EXPLICIT, b"two")
        with RawScu(HOST, door.port, calling="CT1", contexts=CONTEXTS) as scu:
            scu.store(CT, "1.2.5", EXPLICIT, b"three")
        first, second, third = (received.origin for received in door.ingest.received)
    assert (first.door, first.ae_title, first.address) == (Door.DIMSE, "CT1", HOST)
    assert (first.assumed_charset, first.conflict_policy) == ("gbk", ConflictPolicy.NEWEST)
    assert first.traceparent == second.traceparent != third.traceparent


@pytest.mark.parametrize("result", list(Result))
def test_every_result_of_ingest_is_a_success(result: Result) -> None:
    ingest = MemoryIngest(result=result)
    with open_door(ingest=ingest) as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        assert scu.store(CT, "1.2.3", EXPLICIT, b"data") == 0x0000
        assert door.tally.snapshot()["stored"][result.value] == 1


@pytest.mark.parametrize("where", ["begin", "write", "finish"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DiskFull("full"), 0xA700),
        (Busy("busy"), 0xA701),
        (Misidentified("differs"), 0xA900),
        (Unparseable("no data set"), 0xC000),
        (TooLarge("large"), 0xC002),
        (OSError(5, "I/O error"), 0x0110),
    ],
)
def test_a_failure_has_its_status_and_the_association_lives_on(where: str, error: Exception, status: int) -> None:
    ingest = MemoryIngest(faults=Faults(write_after=100_000))
    setattr(ingest.faults, where, error)
    data = bytes(400_000)
    with open_door(ingest=ingest) as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        response = scu.store_response(CT, "1.2.3", EXPLICIT, data)
        assert response.status == status
        assert response.comment
        assert not any(arrival.open for arrival in ingest.arrivals)
        ingest.faults = Faults()
        assert scu.store(CT, "1.2.4", EXPLICIT, data) == 0x0000
        assert scu.echo() == 0
        assert door.tally.snapshot()["stored"]["stored"] == 1


def test_an_unexpected_error_of_the_archive_is_a_processing_failure() -> None:
    ingest = MemoryIngest(faults=Faults(finish=ZeroDivisionError()))
    with open_door(ingest=ingest) as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        assert scu.store(CT, "1.2.3", EXPLICIT, b"data") == 0x0110


@pytest.mark.parametrize("where", ["begin", "write", "finish"])
def test_a_failed_archive_gives_no_success_and_stops_the_room(where: str) -> None:
    ingest = MemoryIngest()
    setattr(ingest.faults, where, ArchiveFailed("fsync failed"))
    with open_door(ingest=ingest) as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        assert scu.store(CT, "1.2.3", EXPLICIT, b"data") == 0xA700
        wait_until(lambda: door.failures == ["archive failed"])


def test_an_object_over_the_limit_is_refused_and_dropped() -> None:
    with open_door(max_object_bytes=1000) as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        assert scu.store(CT, "1.2.3", EXPLICIT, bytes(1001)) == 0xC002
        assert scu.store(CT, "1.2.4", EXPLICIT, bytes(1000)) == 0x0000
        assert [len(received.data) for received in door.ingest.received] == [1000]


def test_an_echo_after_stores_does_not_stall() -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        slowest = 0.0
        for number in range(20):
            scu.store(CT, f"1.2.{number}", EXPLICIT, bytes(50_000))
            begun = time.monotonic()
            assert scu.echo() == 0
            slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 0.5


def test_the_response_names_the_message_and_the_instance() -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=CONTEXTS) as scu:
        scu.message_id = 4711
        elements = scu.store_response(CT, "1.2.3", EXPLICIT, b"data").elements
        assert elements[0x0100] == b"\x01\x80"
        assert elements[0x0120] == (4712).to_bytes(2, "little")
        assert elements[0x0002] == CT.encode() + b"\0"
        assert elements[0x1000] == b"1.2.3\0"


@pytest.mark.serial
def test_a_sender_with_nagles_algorithm_flows(tmp_path: Path) -> None:
    paths = []
    for number in range(60):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(instances.part10(instances.ct(PixelData=bytes(512 * 512 * 2), Rows=512, Columns=512)))
    with open_door(ingest=MemoryIngest(keep=False)) as door:
        begun = time.monotonic()
        dcmtk.storescu(dcmtk.Peer(door.port), paths, nodelay=False)
        rate = len(paths) / (time.monotonic() - begun)
    # A receiver that delays its acknowledgements makes about 20 per second of it.
    assert rate > 60
