"""A thousand pictures in a row leave the child as large as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.codec.pool import Limits, Pool
from tests.builders.images import grey, ramp
from tests.builders.instances import part10
from tests.integration.codec.test_drawn_pixels import source_of
from tests.partners.memory import own_bytes

FRAMES = 1000
GROWTH = 8 << 20


@pytest.mark.serial
def test_a_thousand_rendered_frames_leave_memory_flat(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(part10(grey(ramp(0, 4095, 512, 512), stored=12, WindowCenter=2048, WindowWidth=4096)))
    source = source_of(path)
    # One child for all of them: a fresh one would hide what the old one kept.
    pool = Pool(Limits(workers=1, tasks_per_child=FRAMES + 200))
    try:
        for _ in range(100):
            pool.run("render", source, {"viewport": [256, 256]})
        (child,) = pool.pids()
        before = own_bytes(child)
        for _ in range(FRAMES):
            pool.run("render", source, {"viewport": [256, 256]})
        assert pool.pids() == [child]
        assert own_bytes(child) - before < GROWTH
    finally:
        pool.close()
