"""The room as a process, with the real archive: exit codes, numbers, refusals, memory."""

from __future__ import annotations

import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import lifecycle
from tests.builders import instances
from tests.partners import dcmtk
from tests.partners.appliance import Appliance
from tests.partners.ports import free_ports
from tests.partners.raw_scu import DATA, EXPLICIT, LAST, Aborted, RawScu, Rejected, pdu, pdv, store_command
from tests.waiting import wait_until

HOST = "127.0.0.1"
CT = instances.CT_IMAGE_STORAGE
CONTEXTS = ((CT, (EXPLICIT,)),)
MIB = 1 << 20


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    """An initialised installation whose DICOM room is not started yet."""
    with Appliance(tmp_path / "home") as installation:
        installation.command("init")
        yield installation


def started(appliance: Appliance, **environ: str) -> Appliance:
    appliance.start("scp", environ=environ)
    appliance.wait_ready("scp")
    return appliance


def files(appliance: Appliance) -> list[Path]:
    return sorted((appliance.home / "archive").rglob("*.dcm"))


def test_what_was_sent_is_on_the_disk_byte_for_byte_under_our_group_2(appliance: Appliance) -> None:
    started(appliance)
    dataset = instances.ct()
    data = instances.encode(dataset)
    with RawScu(HOST, appliance.scp_port, contexts=CONTEXTS) as scu:
        assert scu.store(CT, dataset.SOPInstanceUID, EXPLICIT, data) == 0
        assert scu.store(CT, dataset.SOPInstanceUID, EXPLICIT, data) == 0
    (path,) = files(appliance)
    assert path.read_bytes().endswith(data)
    assert path.read_bytes()[128:132] == b"DICM"
    assert "RAWSCU" in dcmtk.dcmdump(path, "+P", "0002,0016")


def test_the_room_publishes_its_numbers(appliance: Appliance) -> None:
    started(appliance)
    for dataset in instances.series(3):
        with RawScu(HOST, appliance.scp_port, contexts=CONTEXTS) as scu:
            assert scu.store(CT, dataset.SOPInstanceUID, EXPLICIT, instances.encode(dataset)) == 0

    def numbers() -> bool:
        facts = lifecycle.read_rooms(appliance.home / "run")["scp"]
        return bool(facts["stored"]["stored"] == 3 and facts["associations"]["open"] == 0)

    wait_until(numbers)
    facts = lifecycle.read_rooms(appliance.home / "run")["scp"]
    assert facts["alive"]
    assert facts["associations"]["total"] == 3
    assert facts["last_store"] > 0


def test_unreadable_and_misnamed_objects_are_refused(appliance: Appliance) -> None:
    started(appliance)
    dataset = instances.ct()
    data = instances.encode(dataset)
    with RawScu(HOST, appliance.scp_port, contexts=CONTEXTS) as scu:
        assert scu.store(CT, dataset.SOPInstanceUID, EXPLICIT, data[: len(data) // 2]) == 0xC000
        assert scu.store(CT, "1.2.3", EXPLICIT, data) == 0xA900
        assert scu.store(CT, dataset.SOPInstanceUID, EXPLICIT, b"") == 0xC000
        for uid in ("../../../../tmp/x", "1." + "2" * 70):
            assert scu.store(CT, uid, EXPLICIT, instances.encode(instances.ct(SOPInstanceUID="1.2.3"))) == 0xA900
        assert scu.store(CT, dataset.SOPInstanceUID, EXPLICIT, data) == 0
    assert len(files(appliance)) == 1


def test_a_rejected_caller_is_listed(tmp_path: Path) -> None:
    with Appliance(tmp_path / "home", {"APPLIANCE__SCP__ACCEPT_UNKNOWN": "false"}) as appliance:
        appliance.command("init")
        started(appliance)
        with pytest.raises(Rejected):
            RawScu(HOST, appliance.scp_port, calling="STRANGER").open()
        wait_until(lambda: "STRANGER" in appliance.command("callers", "list", "--json").stdout)


def test_the_tls_port_serves_what_the_plain_one_serves(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    (tls_port,) = free_ports(1)
    environ = {
        "APPLIANCE__SCP__TLS_PORT": str(tls_port),
        "APPLIANCE__SCP__TLS_CERTIFICATE": str(pair[0]),
        "APPLIANCE__SCP__TLS_KEY": str(pair[1]),
    }
    dataset = instances.ct()
    with Appliance(tmp_path / "home", environ) as appliance:
        appliance.command("init")
        started(appliance)
        client = ssl.create_default_context(cafile=str(pair[0]))
        with RawScu(HOST, tls_port, contexts=CONTEXTS, tls=client) as scu:
            assert scu.store(CT, dataset.SOPInstanceUID, EXPLICIT, instances.encode(dataset)) == 0
        dcmtk.echoscu(appliance.peer)
        assert len(files(appliance)) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_what_is_under_way_and_exits_with_0(appliance: Appliance, number: int) -> None:
    started(appliance)
    dataset = instances.ct()
    data = instances.encode(dataset)
    idle = RawScu(HOST, appliance.scp_port, contexts=CONTEXTS).open()
    busy = RawScu(HOST, appliance.scp_port, contexts=CONTEXTS).open()
    busy.send(pdu(4, pdv(1, 3, store_command(CT, dataset.SOPInstanceUID)) + pdv(1, DATA, data[:1000])))
    wait_until(lambda: list((appliance.home / "spool").rglob("*")))
    pid = appliance.room_pid("scp")
    os.kill(pid, number)
    with pytest.raises(Aborted):
        idle.read_pdu()
    idle.close()
    busy.send(pdu(4, pdv(1, DATA | LAST, data[1000:])))
    assert busy.read_response().status == 0
    busy.release()
    assert appliance.wait_ended("scp") == 0
    assert len(files(appliance)) == 1


def test_a_failed_fsync_gives_no_success_and_ends_the_room_with_70(appliance: Appliance) -> None:
    started(appliance, APPLIANCE_FAILPOINTS="ingest.fsync=EIO")
    dataset = instances.ct()
    scu = RawScu(HOST, appliance.scp_port, contexts=CONTEXTS).open()
    assert scu.store(CT, dataset.SOPInstanceUID, EXPLICIT, instances.encode(dataset)) == 0xA700
    with pytest.raises(Aborted):
        scu.read_pdu()
    scu.close()
    assert appliance.wait_ended("scp") == 70
    assert files(appliance) == []


def peak_growth(appliance: Appliance, megabytes: int) -> int:
    """Bytes by which the room's peak memory grows over one object of this size, in a fresh process."""
    pid = appliance.start("scp")
    appliance.wait_ready("scp")
    small = instances.ct()
    large = instances.ct(PixelData=bytes(megabytes * MIB), Rows=1024, Columns=1024)
    with RawScu(HOST, appliance.scp_port, contexts=CONTEXTS) as scu:
        assert scu.store(CT, small.SOPInstanceUID, EXPLICIT, instances.encode(small)) == 0
        before = peak(pid)
        assert scu.store(CT, large.SOPInstanceUID, EXPLICIT, instances.encode(large)) == 0
        after = peak(pid)
    assert appliance.stop("scp") == 0
    return after - before


def peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


@pytest.mark.serial
def test_memory_does_not_grow_with_the_object(appliance: Appliance) -> None:
    small, large = peak_growth(appliance, 64), peak_growth(appliance, 256)
    assert large - small < 8 * MIB
