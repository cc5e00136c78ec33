"""Read-through: what retention has evicted comes back from the centre when somebody opens it, byte for byte."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from pydicom import Dataset

from appliance.archive.room import Archive
from appliance.model.retention import RetentionPolicy
from appliance.model.routes import Route
from tests.archives import small_settings
from tests.builders.instances import ct, part10, series
from tests.integration.web.client import WebClient, read_parts
from tests.partners.appliance import Appliance
from tests.partners.dicom_store import DicomStore, Found, Reply
from tests.unit.archive.evicting import confirm, deliver
from tests.waiting import wait_until

CENTRE = Route("centre", kinds=("object",), proves=True, places=("stow there",))
DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'


@dataclass
class Line:
    """A box, the centre's store, and a reader in front of the box."""

    box: Appliance
    store: DicomStore
    web: WebClient

    def keep(self, *datasets: Dataset) -> None:
        """Store at the box; the centre gets the same, has confirmed it, and the box lets go of it."""
        self.web.keep(*datasets)
        for dataset in datasets:
            path = self.store.folder / "sent.part"
            path.write_bytes(part10(dataset))
            self.store.keep(Found(str(dataset.SOPInstanceUID), path, path.stat().st_size))
        self.evict(*{str(dataset.StudyInstanceUID) for dataset in datasets})

    def evict(self, *studies: str) -> None:
        """Let retention do its work on what the centre has confirmed."""
        with self.archive() as archive:
            deliver(archive)
            for study in studies:
                for one in archive.reading.instances(study):
                    confirm(archive, one.version_id)
                with archive.database.write() as cx:
                    cx.execute("UPDATE study_use SET viewed_at = 0 WHERE study_uid = ?", (study,))
            archive.retention.run()
            for study in studies:
                assert not any(one.held for one in archive.reading.instances(study))

    def archive(self) -> _Opened:
        """The box's archive, as another process has it."""
        policy = RetentionPolicy(max_bytes=1, keep_days=0)
        return _Opened(Archive.open(small_settings(self.box.home, sinks=(CENTRE,), retention=policy), "test"))

    def held(self, study: str) -> int:
        """How many instances of a study are here."""
        with self.archive() as archive:
            return sum(one.held for one in archive.reading.instances(study))

    def reads(self) -> list[str]:
        """What the centre was asked for."""
        with self.store.lock:
            return [path.rpartition("/")[2] for method, path, _ in self.store.requests if method == "GET"]


class _Opened:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def __enter__(self) -> Archive:
        return self._archive

    def __exit__(self, *_: object) -> None:
        self._archive.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Appliance, DicomStore]]:
    folder = tmp_path_factory.mktemp("recall")
    with DicomStore(folder / "store") as store:
        sinks = {"centre": {"kind": "stow", "url": store.url, "connect_timeout": 2, "read_timeout": 2}}
        environ = {
            "APPLIANCE__SYNC__SINKS": json.dumps(sinks),
            "APPLIANCE__RETENTION__RECALL_FROM": "centre",
            "APPLIANCE__RETENTION__MAX_BYTES": "1",
            "APPLIANCE__RETENTION__KEEP_DAYS": "0",
        }
        with Appliance(folder / "home", environ) as box:
            box.command("init")
            box.start("web")
            box.wait_ready("web")
            yield box, store


@pytest.fixture
def line(place: tuple[Appliance, DicomStore]) -> Iterator[Line]:
    box, store = place
    store.before_read = lambda _: None
    store.requests.clear()
    with WebClient(box.url) as web:
        yield Line(box, store, web)


def path_of(dataset: Dataset) -> str:
    uids = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    return "/dicom-web/studies/{}/series/{}/instances/{}".format(*uids)


def data_set(file: bytes) -> str:
    """The digest of the data set in a file, by the length of its group 2."""
    start = 144 + int.from_bytes(file[140:144], "little")
    return hashlib.sha256(file[start:]).hexdigest()


def test_invariant_13_what_comes_back_is_what_went(line: Line) -> None:
    one = ct()
    line.keep(one)
    found = line.web.get(path_of(one), DICOM)
    assert found.status_code == 200, found.text
    assert data_set(read_parts(found)[0][1]) == data_set(part10(one))
    assert line.reads() == [one.SOPInstanceUID]
    assert line.web.get(path_of(one), DICOM).status_code == 200
    assert line.reads() == [one.SOPInstanceUID], "it is held again"
    with line.archive() as archive:
        facts = [row["fact"] for row in archive.custody.of(str(one.SOPInstanceUID))]
        assert facts[-2:] == ["evicted", "recalled"]
        assert archive.outbox.stats()["centre"].pending == 0, "nothing is told of it"
        assert archive.uses.viewed_at(str(one.StudyInstanceUID)) > 0


def test_an_evicted_study_can_be_opened_and_the_rest_follows(line: Line) -> None:
    slices = list(series(6))
    study = str(slices[0].StudyInstanceUID)
    line.keep(*slices)
    assert line.web.get(f"{path_of(slices[2])}/frames/1").status_code == 200
    wait_until(lambda: line.held(study) == 6)
    order = [str(one.SOPInstanceUID) for one in slices]
    assert sorted(line.reads()) == sorted(order), "each once"


def test_ohif_metadata_of_an_evicted_study_is_whole(line: Line) -> None:
    slices = list(series(3))
    study = str(slices[0].StudyInstanceUID)
    line.keep(*slices)
    answer = line.web.get(f"/dicom-web/studies/{study}/series/{slices[0].SeriesInstanceUID}/metadata")
    assert answer.status_code == 200
    assert "Warning" not in answer.headers
    assert {one["00080018"]["Value"][0] for one in answer.json()} == {one.SOPInstanceUID for one in slices}
    assert all("7FE00010" in one for one in answer.json()), "read from the objects, not from the index"


@pytest.mark.parametrize("accept", [DICOM, "application/zip"])
def test_a_whole_study_streams_while_it_comes_back(line: Line, accept: str) -> None:
    slices = list(series(4))
    line.keep(*slices)
    answer = line.web.get(f"/dicom-web/studies/{slices[0].StudyInstanceUID}", accept)
    assert answer.status_code == 200
    for one in slices:
        start = part10(one)[-512:]
        assert start in answer.content


def test_the_other_ways_in_fetch_it_back_too(line: Line) -> None:
    for way in ("rendered", "thumbnail", "wado", "export"):
        one = ct()
        line.keep(one)
        paths = {
            "rendered": f"{path_of(one)}/rendered",
            "thumbnail": f"/dicom-web/studies/{one.StudyInstanceUID}/thumbnail",
            "wado": f"/wado?requestType=WADO&studyUID={one.StudyInstanceUID}&seriesUID={one.SeriesInstanceUID}"
            f"&objectUID={one.SOPInstanceUID}&contentType=application/dicom",
            "export": f"/studies/{one.StudyInstanceUID}/export?previews=no",
        }
        assert line.web.get(paths[way]).status_code == 200, way
        assert line.held(str(one.StudyInstanceUID)) == 1, way


def test_a_thumbnail_does_not_fetch_the_study(line: Line) -> None:
    slices = list(series(5))
    line.keep(*slices)
    assert line.web.get(f"/dicom-web/studies/{slices[0].StudyInstanceUID}/thumbnail").status_code == 200
    assert line.held(str(slices[0].StudyInstanceUID)) == 1


def test_many_readers_of_one_image_wait_for_one_fetch(line: Line) -> None:
    one, going = ct(), threading.Event()

    def slowly(_: str) -> Reply | None:
        going.wait(10)
        return None

    line.keep(one)
    line.store.before_read = slowly
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(_get, line, path_of(one)) for _ in range(5)]
        wait_until(lambda: len(line.reads()) == 1)
        going.set()
        assert {future.result() for future in asked} == {200}
    assert line.reads() == [one.SOPInstanceUID]


def _get(line: Line, path: str) -> int:
    with WebClient(line.box.url) as web:
        return web.get(path, DICOM).status_code


def test_other_bytes_are_never_stored(line: Line) -> None:
    one = ct(PatientComments="as it was")
    line.keep(one)
    one.PatientComments = "as it is not"
    line.store.objects[str(one.SOPInstanceUID)].write_bytes(part10(one))
    answer = line.web.get(path_of(one), DICOM)
    assert answer.status_code == 502
    assert "other bytes" in answer.json()["detail"]
    assert line.held(str(one.StudyInstanceUID)) == 0


def test_another_transfer_syntax_is_never_stored(line: Line) -> None:
    one = ct()
    line.keep(one)
    line.store.objects[str(one.SOPInstanceUID)].write_bytes(part10(one, "1.2.840.10008.1.2"))
    answer = line.web.get(path_of(one), DICOM)
    assert answer.status_code == 502
    assert line.held(str(one.StudyInstanceUID)) == 0


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(302, headers={"Location": "http://127.0.0.1:9/elsewhere"}), 502),
        (Reply(401), 502),
        (Reply(404), 502),
        (Reply(200, b"<html>", {"Content-Type": "text/html"}), 502),
        (Reply("reset"), 504),
        (Reply(503), 503),
    ],
)
def test_a_centre_that_does_not_give_it_is_told_in_a_sentence(line: Line, reply: Reply, status: int) -> None:
    one = ct()
    line.keep(one)
    line.store.before_read = lambda _: reply
    answer = wait_until(lambda: _unless_paused(line, path_of(one)), 30)
    assert answer == status
    assert line.held(str(one.StudyInstanceUID)) == 0


def _unless_paused(line: Line, path: str) -> int | None:
    """The status once the centre is asked at all: for a while after it was away, nobody is kept waiting for it."""
    before = len(line.reads())
    status = line.web.get(path, DICOM).status_code
    return status if len(line.reads()) > before else None
