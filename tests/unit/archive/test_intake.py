"""The rate of intake, and how long the disk lasts."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from appliance.archive.intake import hours_left, measure
from appliance.archive.reserve import Disk
from appliance.archive.room import Archive
from appliance.model.records import Door, Origin
from tests.archives import new_archive, sender
from tests.builders.instances import part10, series
from tests.clocks import FakeClock

HOUR = 3600


@pytest.fixture
def archive(tmp_path: Path, clock: FakeClock) -> Archive:
    return new_archive(tmp_path / "home", clock)


def store(archive: Archive, count: int, origin: Origin | None = None) -> int:
    """Store a new series; return its bytes on disk."""
    stored = [archive.ingest.receive_file(BytesIO(part10(dataset)), origin or sender()) for dataset in series(count)]
    size = 0
    for each in stored:
        (instance,) = archive.reading.instances(each.study_uid, each.series_uid, each.sop_uid)
        size += instance.file_size
    return size


def test_an_empty_box_takes_nothing_in(archive: Archive, clock: FakeClock) -> None:
    found = archive.numbers.intake(clock.now())
    assert (found.bytes_per_second, found.last_c_store) == (0.0, None)
    archive.close()


def test_the_last_hour_counts_while_it_is_busier_than_the_day(archive: Archive, clock: FakeClock) -> None:
    size = store(archive, 3)
    stored_at = clock.now()
    clock.advance(600)
    found = archive.numbers.intake(clock.now())
    assert found.bytes_per_second == pytest.approx(size / HOUR, abs=0.01)
    assert found.last_c_store == stored_at
    clock.advance(2 * HOUR)
    assert archive.numbers.intake(clock.now()).bytes_per_second == pytest.approx(size / (24 * HOUR), abs=0.01)
    clock.advance(24 * HOUR)
    assert archive.numbers.intake(clock.now()).bytes_per_second == 0
    archive.close()


def test_only_the_last_rows_are_looked_at_over_the_time_they_cover(archive: Archive, clock: FakeClock) -> None:
    store(archive, 2)
    clock.advance(600)
    size = store(archive, 2)
    clock.advance(100)
    with archive.database.read() as cx:
        found = measure(cx, "default", clock.now(), most=2)
    assert found.bytes_per_second == pytest.approx(size / 100, abs=0.01)
    archive.close()


def test_an_import_is_no_c_store(archive: Archive, clock: FakeClock) -> None:
    store(archive, 1, Origin(Door.IMPORT, "disc", ""))
    assert archive.numbers.intake(clock.now()).last_c_store is None
    archive.close()


@pytest.mark.parametrize(
    ("free", "reserve", "rate", "hours"),
    [(7201, 1, 1.0, 2.0), (1, 5, 1.0, 0.0), (7200, 0, 0.0, None), (7200, 0, -1.0, None)],
)
def test_hours_left(free: int, reserve: int, rate: float, hours: float | None) -> None:
    assert hours_left(Disk(free, reserve), rate) == hours
