"""The web room goes on serving where its numbers cannot be written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from structlog.testing import capture_logs

from appliance.lifecycle import read_rooms
from appliance.liveness import Liveness
from appliance.web.doors import Doors
from appliance.web.main import _publish


def test_numbers_that_cannot_be_published_do_not_end_the_room(tmp_path: Path) -> None:
    doors, blocked = cast(Doors, SimpleNamespace(connections=3)), tmp_path / "blocked"
    blocked.touch()
    with capture_logs() as lines:
        _publish(blocked, doors, "ready", Liveness())
        _publish(tmp_path / "run", doors, "ready", Liveness())
    assert [line["event"] for line in lines] == ["numbers not published"]
    assert read_rooms(tmp_path / "run")["web"]["connections"] == 3
