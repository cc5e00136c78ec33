"""Ready means: every room serves, and there is space to store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from appliance import lifecycle
from appliance.archive.reserve import Disk
from appliance.cli.status import ROOMS, living, ready

SPACE = Disk(free_bytes=10, reserve_bytes=5)


def rooms(**changed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: {"alive": True, "state": "ready"} for name in ROOMS} | changed


def test_all_rooms_and_space_are_ready() -> None:
    assert ready(rooms(), SPACE)


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize(
    "facts", [{"alive": False}, {"alive": True, "state": "draining"}, {"alive": True, "state": "stopped"}]
)
def test_one_room_missing_is_not_ready(room: str, facts: dict[str, Any]) -> None:
    assert not ready(rooms(**{room: facts}), SPACE)


def test_a_disk_at_its_reserve_is_not_ready() -> None:
    assert not ready(rooms(), Disk(free_bytes=5, reserve_bytes=5))


def test_a_report_of_an_earlier_process_does_not_count(tmp_path: Path) -> None:
    for room in ROOMS:
        lifecycle.publish(tmp_path, room, {})
    pids = dict.fromkeys(ROOMS, os.getpid())
    assert living(tmp_path, pids)
    assert not living(tmp_path, {**pids, "web": 1})
    assert not living(tmp_path, {"scp": os.getpid()})
