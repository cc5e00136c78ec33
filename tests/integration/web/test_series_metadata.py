"""Metadata of a quiet series: served without opening one of its files, rebuilt whenever it must be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset

from tests.archives import new_archive, sender
from tests.builders.instances import ct, part10, series
from tests.clocks import FakeClock
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance
from tests.waiting import wait_until

SLICES = 40


def keep(home: Path, *datasets: Dataset, age: float = 120) -> None:
    """Store data sets as if they had come some seconds ago."""
    archive = new_archive(home, FakeClock(int((time.time() - age) * 1_000_000)))
    for dataset in datasets:
        archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
    archive.close()


def kept_files(box: Appliance) -> list[Path]:
    """Return the files of kept metadata."""
    return list((box.home / "cache" / "metadata").glob("*.gz"))


def path_of(dataset: Dataset, level: str = "series") -> str:
    study = f"/dicom-web/studies/{dataset.StudyInstanceUID}"
    return f"{study}/metadata" if level == "study" else f"{study}/series/{dataset.SeriesInstanceUID}/metadata"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Appliance]:
    with Appliance(tmp_path / "home") as box:
        yield box


def test_a_quiet_series_is_opened_without_its_files(box: Appliance) -> None:
    slices = list(series(SLICES))
    keep(box.home, *slices)
    box.start("web")
    box.wait_ready("web")
    assert wait_until(lambda: kept_files(box))
    for path in (box.home / "archive").rglob("*.dcm"):
        path.unlink()
    with WebClient(box.url) as web:
        for level in ("series", "study"):
            found = web.get(path_of(slices[0], level)).json()
            assert [one["00200013"]["Value"][0] for one in found] == list(range(1, SLICES + 1))
            assert found[0]["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]


def test_addresses_name_the_host_the_caller_used(box: Appliance) -> None:
    dataset = ct(PixelData=bytes(2048))
    keep(box.home, dataset)
    box.start("web")
    box.wait_ready("web")
    assert wait_until(lambda: kept_files(box))
    with WebClient(box.url) as web:
        for host in (f"localhost:{box.web_port}", f"127.0.0.1:{box.web_port}"):
            (found,) = web.get(path_of(dataset), Host=host).json()
            assert found["7FE00010"]["BulkDataURI"].startswith(f"http://{host}/dicom-web/studies/")


def test_a_change_is_seen_at_once(box: Appliance) -> None:
    first, second = series(2)
    keep(box.home, first)
    box.start("web")
    box.wait_ready("web")
    assert wait_until(lambda: kept_files(box))
    with WebClient(box.url) as web:
        before = web.get(path_of(first))
        assert web.get(path_of(first), If_None_Match=before.headers["ETag"]).status_code == 304
        web.keep(second)
        after = web.get(path_of(first), If_None_Match=before.headers["ETag"])
        assert (after.status_code, len(after.json())) == (200, 2)


def test_a_damaged_file_is_made_anew(box: Appliance) -> None:
    slices = list(series(3))
    keep(box.home, *slices)
    box.start("web")
    box.wait_ready("web")
    (path,) = wait_until(lambda: kept_files(box))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with WebClient(box.url) as web:
        assert len(web.get(path_of(slices[0])).json()) == 3
        assert len(path.read_bytes()) > len(whole) - 5
        xml = web.get(path_of(slices[0]), 'multipart/related; type="application/dicom+xml"')
        assert xml.content.count(b"<NativeDicomModel") == 3


def test_killed_before_the_file_has_its_name(box: Appliance) -> None:
    slices = list(series(3))
    keep(box.home, *slices)
    box.start("web", environ={"APPLIANCE_FAILPOINTS": "metadata.before_rename=kill"})
    assert box.wait_ended("web") == -9
    assert kept_files(box) == []
    box.start("web")
    box.wait_ready("web")
    assert wait_until(lambda: kept_files(box))
    with WebClient(box.url) as web:
        assert len(web.get(path_of(slices[0])).json()) == 3
    assert not list((box.home / "cache").rglob("*.part"))


def test_a_growing_series_is_not_kept_yet(box: Appliance) -> None:
    slices = list(series(2))
    keep(box.home, *slices, age=0)
    box.start("web")
    box.wait_ready("web")
    with WebClient(box.url) as web:
        assert len(web.get(path_of(slices[0])).json()) == 2
        assert kept_files(box) == []
