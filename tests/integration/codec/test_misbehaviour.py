"""Invariant 11: a decoder that hangs, crashes or grows costs one child and one deadline, never the service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.codec.faults import CodecFault, Kind
from appliance.codec.pool import Pool
from tests.builders.sources import slices
from tests.integration.codec.pools import DEADLINE, Notebook, children, descriptors, planted_pool

DEEDS = {
    "hang": Kind.TIMED_OUT,
    "spin": Kind.TIMED_OUT,
    "grow": Kind.TOO_LARGE,
    "crash": Kind.CRASHED,
    "babble": Kind.CRASHED,
    "flood": Kind.TOO_LARGE,
    "leave": Kind.CRASHED,
    "cry": Kind.REFUSED,
}
# Starting a child on a busy machine, and killing one that hangs.
SLACK = 10.0


@pytest.fixture
def pool() -> Iterator[Pool]:
    with planted_pool() as pool:
        yield pool


@pytest.mark.parametrize(("deed", "kind"), DEEDS.items())
def test_a_bad_object_ends_in_its_own_fault_and_the_next_one_is_served(
    pool: Pool, tmp_path: Path, deed: str, kind: Kind
) -> None:
    (bad, _), (good, pixels) = slices(tmp_path, 2, at_0=deed)
    begun = time.monotonic()
    with pytest.raises(CodecFault) as fault:
        pool.run("native", bad, {"frame": 1})
    assert time.monotonic() - begun < DEADLINE + SLACK
    assert fault.value.kind is kind
    assert "SECRET" not in str(fault.value)
    assert pool.run("native", good, {"frame": 1}).data == pixels
    assert "Z" not in children().values()


@pytest.mark.parametrize("deed", ["hang", "grow", "crash"])
def test_every_other_slice_of_a_series_is_served(tmp_path: Path, deed: str) -> None:
    before, notebook = descriptors(), Notebook()
    series = slices(tmp_path, 300, at_150=deed)
    with planted_pool(notebook) as pool:
        with ThreadPoolExecutor(16) as viewers:
            asked = [viewers.submit(pool.run, "native", source, {"frame": 1}) for source, _ in series]
            faults = [future.exception() for future in asked]
        assert [n for n, fault in enumerate(faults) if fault] == [150]
        assert isinstance(faults[150], CodecFault)
        assert faults[150].kind is DEEDS[deed]
        assert all(
            future.result().data == pixels
            for n, (future, (_, pixels)) in enumerate(zip(asked, series, strict=True))
            if n != 150
        )
        pids = pool.pids()
        assert len(pids) <= pool.limits.workers
        assert not [pid for pid, state in children().items() if state == "Z"]
    assert not set(pids) & set(children())
    assert descriptors() <= before
    assert set(notebook.tasks) == {("native", "done"), ("native", DEEDS[deed].value)}


def test_what_cost_two_children_costs_no_third(pool: Pool, tmp_path: Path) -> None:
    ((bad, _),) = slices(tmp_path, 1, at_0="crash")
    for _ in range(2):
        with pytest.raises(CodecFault):
            pool.run("native", bad, {"frame": 1})
    assert not pool.pids()
    with pytest.raises(CodecFault) as fault:
        pool.run("native", bad, {"frame": 1})
    assert fault.value.kind is Kind.CRASHED
    assert not pool.pids()


def test_another_window_does_not_cure_a_frame_that_has_cost_two_children(pool: Pool, tmp_path: Path) -> None:
    ((bad, _),) = slices(tmp_path, 1, at_0="hang")
    for center in (1, 2):
        with pytest.raises(CodecFault):
            pool.run("native", bad, {"frame": 1, "window": [center, 100]})
    begun = time.monotonic()
    with pytest.raises(CodecFault) as fault:
        pool.run("native", bad, {"frame": 1, "window": [3, 100]})
    assert fault.value.kind is Kind.TIMED_OUT
    assert time.monotonic() - begun < 1.0
