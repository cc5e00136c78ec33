"""A backup of a box that goes on receiving, and the box that is made from it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from appliance.archive import fsck
from tests.archives import sender
from tests.builders.instances import ct, part10, series
from tests.crash.storing import Ledger, Slice, assert_kept, opened, send, slices
from tests.integration.cli.conftest import Home
from tests.partners.appliance import Appliance

BEFORE = 20


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Appliance]:
    """A box whose door is open."""
    with Appliance(tmp_path / "home") as appliance:
        Home(appliance.home).run("init")
        appliance.start("scp")
        appliance.wait_ready("scp")
        yield appliance


def keep_sending(port: int, ledger: Ledger, stop: threading.Event) -> None:
    """A modality that sends series after series."""
    while not stop.is_set():
        batch: list[Slice] = slices(10)
        send(port, batch, ledger)


def test_what_was_acknowledged_before_a_backup_began_is_in_it_while_more_arrives(
    box: Appliance, tmp_path: Path
) -> None:
    ledger, stop = Ledger(), threading.Event()
    modality = threading.Thread(target=keep_sending, args=(box.scp_port, ledger, stop))
    modality.start()
    try:
        ledger.wait_for(BEFORE)
        promised = dict(ledger.acknowledged)
        first = json.loads(box.command("backup", str(tmp_path / "out"), "--json").stdout)
        count = len(ledger.statuses)
        ledger.wait_for(count + 5)
        second = json.loads(box.command("backup", str(tmp_path / "out"), "--json").stdout)
    finally:
        stop.set()
        modality.join()
    assert len(ledger.acknowledged) > len(promised) >= BEFORE
    assert second["linked"] == first["objects"] < second["objects"]
    assert not first["faults"] and not second["faults"]
    for path in (first["snapshot"], second["snapshot"]):
        check_restored(box, tmp_path, Path(path).name, promised)


def check_restored(box: Appliance, tmp_path: Path, snapshot: str, promised: dict[str, str]) -> None:
    """Restore a snapshot elsewhere; everything promised is there, and nothing is wrong."""
    back = tmp_path / f"back-{snapshot}"
    done = Home(box.home).run("restore", tmp_path / "out", "--snapshot", snapshot, "--into", back)
    assert "deliveries that were made after the backup are made again" in done.stdout
    with opened(back) as archive:
        assert_kept(archive, promised)
        report = fsck.check(archive)
        assert report.clean, report.findings


def test_a_backup_that_is_killed_while_objects_arrive_hurts_nobody(box: Appliance, tmp_path: Path) -> None:
    ledger, out = Ledger(), tmp_path / "out"
    assert send(box.scp_port, slices(BEFORE), ledger)
    box.start("backup", str(out), environ={"APPLIANCE_FAILPOINTS": "backup.before_object=kill@10"})
    assert box.wait_ended("backup") == -9
    assert send(box.scp_port, slices(5), ledger)
    home = Home(box.home)
    assert home.json("backup", "list", out) == []
    home.run("backup", out)
    assert len(home.json("backup", "list", out)) == 1
    assert home.json("status", code=1)["backup"]["good_at"]
    assert "as written: 27 files" in home.run("backup", "verify", out).stdout


def test_the_timer_does_nothing_without_a_directory_and_what_is_configured_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, out = Home(tmp_path / "home"), tmp_path / "out"
    home.run("init")
    assert "backup.directory is not set" in home.run("backup", "--scheduled").stdout
    home.run("backup", code=2)
    monkeypatch.setenv("APPLIANCE__BACKUP__DIRECTORY", str(out))
    monkeypatch.setenv("APPLIANCE__BACKUP__KEEP", "1")
    assert "is it mounted" in home.run("backup", "--scheduled", code=78).stderr
    out.mkdir()
    home.run("backup", "--scheduled")
    done = home.run("backup", "now", "--scheduled", "--json")
    assert len(json.loads(done.stdout)["pruned"]) == 1
    assert "same file system" in done.stderr
    assert "inside" in home.run("backup", home.path / "x", code=78).stderr
    home.run("restore", out, code=78)
    assert "What was there lies in" in home.run("restore", out, "--force").stdout


def test_a_flipped_bit_is_found_by_verify_and_mended_by_a_full_backup(tmp_path: Path) -> None:
    home, out = Home(tmp_path / "home"), tmp_path / "out"
    home.run("init")
    with opened(home.path) as archive:
        archive.ingest.receive_file(BytesIO(part10(ct())), sender())
    home.run("backup", out)
    (victim,) = out.rglob("*.dcm")
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    assert [one["fault"] for one in home.json("backup", "verify", out, code=1)["wrong"]] == ["its bytes have changed"]
    home.run("backup", out, "--full")
    home.run("backup", "verify", out)
    first = home.json("backup", "list", out)[0]["snapshot"]
    home.run("backup", "verify", out, first, code=1)
    home.run("backup", "verify", out, "2000-01-01T00-00-00Z", code=66)


@pytest.mark.full
@pytest.mark.timeout(3 * 3600)
def test_the_second_backup_of_a_hundred_thousand_unchanged_objects_is_quick(tmp_path: Path) -> None:
    box = Appliance(tmp_path / "home")
    box.command("init")
    with opened(tmp_path / "home") as archive:
        for _ in range(100):
            for dataset in series(1000):
                archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
    seconds = []
    for _ in range(2):
        done = json.loads(box.command("backup", str(tmp_path / "out"), "--json", seconds=3600).stdout)
        seconds.append(done["seconds"])
    assert done["linked"] == 100_000
    assert seconds[1] < max(60, seconds[0])
