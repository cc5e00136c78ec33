"""The walk of a first evening: start, send, search, fetch, look outside, stop."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient

from appliance.cli.sample_study import SCOUTS, SLICES
from tests.builders.instances import ct, encode, part10, series
from tests.partners import dcmtk
from tests.partners.appliance import Appliance
from tests.waiting import wait_until

SAMPLE = SLICES + SCOUTS
READING = (
    "status",
    "outbox list",
    "outbox stats",
    "dead list",
    "conflict list",
    "quarantine list",
    "callers list",
    "db status",
    "config show",
    "fsck",
)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with Appliance(tmp_path_factory.mktemp("walk") / "home") as appliance:
        appliance.start("run", "--sample")
        appliance.wait_ready()
        wait_until(lambda: appliance.status()["instances"] == SAMPLE, 30, every=0.2)
        yield appliance


@pytest.fixture(scope="module")
def client(box: Appliance) -> DICOMwebClient:
    return DICOMwebClient(box.dicomweb)


def test_it_says_where_to_look(box: Appliance) -> None:
    wait_until(lambda: "Sample study sent" in box.output(), 10)
    for expected in (
        f"port {box.scp_port}, AE title APPLIANCE",
        f"{box.url}/",
        str(box.home / "outbound"),
        "Ctrl-C",
    ):
        assert expected in box.output()


def test_echo_answers(box: Appliance) -> None:
    dcmtk.echoscu(box.peer)


def test_a_folder_sent_by_storescu_is_found_and_fetched(box: Appliance, client: DICOMwebClient, tmp_path: Path) -> None:
    images = list(series(3, PatientName="Walk^Wanda", PatientID="WALK-1"))
    folder = tmp_path / "study" / "deeper"
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        (folder / f"{number}.dcm").write_bytes(part10(image))
    dcmtk.storescu(box.peer, [tmp_path / "study"], "+sd", "+r")

    found = client.search_for_studies(search_filters={"PatientID": "WALK-1"})
    assert [study["0020000D"]["Value"][0] for study in found] == [images[0].StudyInstanceUID]
    fetched = client.retrieve_series(images[0].StudyInstanceUID, images[0].SeriesInstanceUID)
    assert {image.SOPInstanceUID for image in fetched} == {image.SOPInstanceUID for image in images}
    sent = {image.SOPInstanceUID: image.PixelData for image in images}
    assert all(image.PixelData == sent[image.SOPInstanceUID] for image in fetched)


def test_metadata_of_the_sample_names_its_patient(client: DICOMwebClient) -> None:
    study = client.search_for_studies(search_filters={"PatientName": "*患者*"})[0]
    metadata = client.retrieve_study_metadata(study["0020000D"]["Value"][0])
    assert len(metadata) == SAMPLE
    assert metadata[0]["00100010"]["Value"][0]["Ideographic"] == "示例^患者"


def test_what_dicomweb_stores_comes_back_byte_for_byte(box: Appliance, client: DICOMwebClient) -> None:
    image = ct(PatientID="WALK-2")
    client.store_instances([pydicom.dcmread(BytesIO(part10(image)))])
    fetched = client.retrieve_instance(image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID)
    assert encode(fetched) == encode(image)


def test_everything_leaves_for_the_outbound_folder(box: Appliance) -> None:
    def drained() -> bool:
        sink = box.status()["sinks"]["outbound"]
        return sink["pending"] == sink["leased"] == 0 and sink["delivered"] > 0

    wait_until(drained, 30, every=0.2)
    files = list((box.home / "outbound").rglob("*.dcm"))
    assert len(files) == box.status()["instances"]


def test_the_status_has_its_keys(box: Appliance) -> None:
    status = box.status()
    assert status["ready"] is True
    assert set(status) == {
        "version", "ready", "studies", "series", "instances", "not_held", "evicted", "quarantined", "conflicts",
        "unreadable_pixels", "disk", "custody", "sinks", "last_store", "rooms", "backup",
    }  # fmt: skip
    assert set(status["disk"]) == {
        "free_bytes", "reserve_bytes", "evictable_bytes", "intake_bytes_per_second", "outage_hours",
    }  # fmt: skip
    assert set(status["sinks"]["outbound"]) == {
        "pending",
        "leased",
        "delivered",
        "dead",
        "buried",
        "oldest_seconds",
        "required",
        "breaker",
        "reason",
        "held",
    }
    assert status["last_store"].endswith("Z")
    assert {name for name, room in status["rooms"].items() if room["alive"]} == {"scp", "web", "sync"}


def test_a_room_that_is_killed_comes_back(box: Appliance) -> None:
    before = box.room_pid("scp")
    box.kill("scp")
    wait_until(lambda: box.room_pid("scp") != before, 20)
    box.wait_ready()
    dcmtk.echoscu(box.peer)


@pytest.mark.parametrize("verb", ["run", "scp", "web", "sync"])
def test_a_home_that_is_served_is_refused_at_once(box: Appliance, verb: str) -> None:
    done = box.command(verb, check=False, seconds=20)
    assert done.returncode == 75
    assert f"another process serves {box.home} already (appliance {verb})" in done.stderr
    assert "stop it first" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_reading_verb_prints_json(box: Appliance) -> None:
    for verb in READING:
        json.loads(box.command(*verb.split(), "--json").stdout)


def test_ctrl_c_drains_and_stops_without_a_traceback(tmp_path: Path) -> None:
    with Appliance(tmp_path / "home") as box:
        box.start("run")
        box.wait_ready()
        pids = [box.room_pid(room) for room in ("scp", "web", "sync")]
        assert box.stop("run", signal.SIGINT) == 0
        assert "Traceback" not in box.output()
        assert box.output().rstrip().endswith("Stopped.")
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
        assert box.status()["ready"] is False


def test_rooms_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with Appliance(tmp_path / "home") as box:
        box.start("run")
        box.wait_ready()
        pids = [box.room_pid(room) for room in ("scp", "web", "sync")]
        box.kill("run")
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 40)


def test_run_does_not_join_a_room_that_was_started_alone(tmp_path: Path) -> None:
    with Appliance(tmp_path / "home") as box:
        box.command("init")
        box.start("sync")
        box.wait_ready("sync")
        done = box.command("run", check=False, seconds=30)
        assert done.returncode == 75
        assert "(appliance sync)" in done.stderr
        assert "restarted" not in done.stderr


def test_run_follows_at_once_on_a_run_that_was_killed(tmp_path: Path) -> None:
    with Appliance(tmp_path / "home") as box:
        box.start("run")
        box.wait_ready()
        box.kill("run")
        box.start("run")
        box.wait_ready()


def test_a_wrong_configuration_stops_at_once_with_78(tmp_path: Path) -> None:
    with Appliance(tmp_path / "home", {"APPLIANCE__SCP__PORT": "x"}) as box:
        done = box.command("run", check=False)
        assert done.returncode == 78
        assert "scp.port" in done.stderr
        assert "Traceback" not in done.stderr
