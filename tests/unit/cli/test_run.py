"""Which rooms `appliance run` starts, and in which order they end."""

from __future__ import annotations

from pathlib import Path

from appliance.cli.installation import Installation
from appliance.cli.run import plans


def rooms(tmp_path: Path, **environ: str) -> list[tuple[str, bool]]:
    installation = Installation(environ={"APPLIANCE__HOME": str(tmp_path), **environ})
    return [(plan.name, plan.vital) for plan in plans(installation)]


def test_without_a_broker_there_is_no_monitor(tmp_path: Path) -> None:
    assert rooms(tmp_path) == [("scp", True), ("web", True), ("sync", True)]


def test_the_monitor_is_the_first_so_that_it_can_say_that_the_box_ends(tmp_path: Path) -> None:
    found = rooms(tmp_path, APPLIANCE__MQTT__HOST="broker.example")
    assert found == [("monitor", False), ("scp", True), ("web", True), ("sync", True)]
