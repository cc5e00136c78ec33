"""Decoding for a long time leaves no memory, no process and no descriptor behind."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from appliance.codec.faults import CodecFault
from tests.builders.sources import slices
from tests.integration.codec.pools import children, descriptors, planted_pool
from tests.partners.memory import own_bytes

ROUND = 300
MOST_GROWTH = 8 << 20


def test_a_thousand_frames_with_crashes_among_them_leave_nothing_behind(tmp_path: Path) -> None:
    series = slices(tmp_path, ROUND, at_50="crash", at_100="grow", at_150="hang")
    before = descriptors()
    with planted_pool(deadline_seconds=2.0) as pool, ThreadPoolExecutor(8) as viewers:

        def look(number: int) -> bool:
            try:
                return pool.run("native", series[number][0], {"frame": 1}).data == series[number][1]
            except CodecFault:
                return False

        def whole_series() -> int:
            return sum(viewers.map(look, range(ROUND)))

        assert whole_series() == ROUND - 3
        start = own_bytes(os.getpid())
        assert [whole_series() for _ in range(3)] == [ROUND - 3] * 3
        assert own_bytes(os.getpid()) - start < MOST_GROWTH
        assert "Z" not in children().values()
    assert descriptors() <= before
