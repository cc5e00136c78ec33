"""Kept series metadata: of one revision, host-independent, sound or absent, within a budget."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.archive.reading import StoredSeries
from appliance.web.series_metadata import Kept, Line, SeriesMetadata

SERIES = StoredSeries("default", "1.2", "1.2.3", revision=7, updated_at=0, instances=3)
HOST = "http://box:8080/dicom-web"


@pytest.fixture
def kept(tmp_path: Path) -> SeriesMetadata:
    return SeriesMetadata(tmp_path / "metadata", 1 << 20)


def three(root: str) -> Iterator[Line]:
    for number in range(3):
        yield Line(f'{{"{number}":"{root}/bulk"}}'.encode(), whole=number != 1)


def read(kept: SeriesMetadata, series: StoredSeries = SERIES, root: str = HOST) -> tuple[Kept | None, list[bytes]]:
    taken: list[bytes] = []
    return kept.read(series, root, taken.append), taken


def only_file(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "metadata").iterdir()
    return path


def test_what_was_kept_is_read_with_the_callers_host(kept: SeriesMetadata) -> None:
    assert kept.write(SERIES, three)
    assert read(kept) == (Kept(3, 1), [f'{{"{n}":"{HOST}/bulk"}}'.encode() for n in range(3)])
    assert read(kept, root="https://other")[1][0] == b'{"0":"https://other/bulk"}'
    assert kept.fresh(SERIES)


def test_another_revision_and_another_series_are_absent(kept: SeriesMetadata) -> None:
    kept.write(SERIES, three)
    for other in (replace(SERIES, revision=8), replace(SERIES, series_uid="1.2.4"), replace(SERIES, tenant="x")):
        assert read(kept, other) == (None, [])
        assert not kept.fresh(other)


def test_a_series_that_has_changed_replaces_what_was_kept(kept: SeriesMetadata, tmp_path: Path) -> None:
    kept.write(SERIES, three)
    later = replace(SERIES, revision=8)
    kept.write(later, lambda root: iter([Line(b"{}", whole=True)]))
    assert read(kept, later) == (Kept(1, 0), [b"{}"])
    assert only_file(tmp_path).is_file()


def test_what_fails_half_way_leaves_nothing(kept: SeriesMetadata, tmp_path: Path) -> None:
    def failing(root: str) -> Iterator[Line]:
        yield Line(b"{}", whole=True)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        kept.write(SERIES, failing)
    assert list((tmp_path / "metadata").iterdir()) == []


def test_half_written_files_of_a_crash_go_at_the_start(tmp_path: Path) -> None:
    left = tmp_path / "metadata" / "x.ndjson.gz.1.part"
    left.parent.mkdir()
    left.write_bytes(b"half")
    SeriesMetadata(left.parent, 1)
    assert not left.exists()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.booleans(), place=st.integers(0, 9_999), flip=st.integers(1, 255))
def test_a_damaged_file_is_absent_and_never_wrong(tmp_path: Path, cut: bool, place: int, flip: int) -> None:
    kept = SeriesMetadata(tmp_path / "metadata", 1 << 20)
    kept.write(SERIES, three)
    true = read(kept)
    path = only_file(tmp_path)
    damaged = bytearray(path.read_bytes())
    at = place * len(damaged) // 10_000
    if cut:
        del damaged[at:]
    else:
        damaged[at] ^= flip
    path.write_bytes(damaged)
    found = read(kept)
    # Some bytes of a gzip header carry nothing: then all is well.
    assert found[0] is None or found == true
    assert kept.write(SERIES, three)
    assert read(kept) == true


def test_a_file_of_another_format_is_absent(kept: SeriesMetadata, tmp_path: Path) -> None:
    kept.write(SERIES, three)
    path = only_file(tmp_path)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b'"format": "1 ', b'"format": "0 ')))
    assert not kept.fresh(SERIES)
    assert read(kept)[0] is None


def test_the_least_recently_read_go_when_the_budget_is_spent(tmp_path: Path) -> None:
    kept = SeriesMetadata(tmp_path / "metadata", 1 << 20)
    every = [replace(SERIES, series_uid=f"1.2.{n}") for n in range(4)]
    for age, series in enumerate(every):
        kept.write(series, three)
        newest = max((tmp_path / "metadata").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (age, age))
    size = newest.stat().st_size
    assert read(kept, every[0])[0]
    assert SeriesMetadata(tmp_path / "metadata", 2 * size + size // 2).prune() == 2
    assert [kept.fresh(series) for series in every] == [True, False, False, True]
