"""Rooms, services and queues."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import __version__
from appliance.archive.outbox_desk import SinkStats
from appliance.care.doctor import destinations, working
from appliance.care.doctor.box import Box
from appliance.care.doctor.examining import examine, visits
from appliance.care.doctor.finding import State, ok, together
from appliance.care.doctor.table import CHECKS
from tests.archives import new_archive
from tests.unit.care.doctor.boxes import box, mended


def publishing(tmp_path: Path, **facts: Any) -> Box:
    found = box(tmp_path)
    run = found.settings.runtime_directory
    run.mkdir(parents=True)
    said = {"room": "scp", "pid": os.getpid(), "at": time.time_ns() // 1000, "version": __version__, **facts}
    (run / "scp.json").write_text(json.dumps(said))
    return found


def test_a_room_that_is_well(tmp_path: Path) -> None:
    mended(working.room(publishing(tmp_path, state="ready"), "scp"), State.OK, f"version {__version__}", "")


def test_a_room_that_does_not_run_or_is_silent(tmp_path: Path) -> None:
    mended(working.room(box(tmp_path), "scp"), State.FAULT, "does not run", "systemctl start dicom-edge-scp")
    silent = publishing(tmp_path, at=time.time_ns() // 1000 - 60_000_000)
    mended(working.room(silent, "scp"), State.FAULT, "has said nothing", "journalctl -u dicom-edge-scp")


@pytest.mark.parametrize("version", ["0.0.1", None])
def test_a_room_that_still_runs_the_code_of_before_an_upgrade(tmp_path: Path, version: str | None) -> None:
    verdict = working.room(publishing(tmp_path, version=version), "scp")
    mended(verdict, State.WARNING, f"installed is {__version__}", "systemctl restart dicom-edge-scp")


def test_a_room_that_ends(tmp_path: Path) -> None:
    mended(working.room(publishing(tmp_path, state="draining"), "scp"), State.WARNING, "draining", "journalctl")


def test_the_monitor_is_needed_where_there_is_a_broker(tmp_path: Path) -> None:
    assert "monitor" not in working.rooms(box(tmp_path))
    assert "monitor" in working.rooms(box(tmp_path, {"mqtt": {"host": "broker.example"}}))


def test_services_that_have_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = box(tmp_path)
    assert working.units(found, "").state is State.SKIPPED
    found.place("/run/systemd/system").mkdir(parents=True)
    target, failed = unit("appliance.target"), unit("dicom-edge-fsck.service", active="failed")
    for text, state, what, mend in (
        (target, State.OK, "none of 1", ""),
        (target + failed, State.FAULT, "dicom-edge-fsck.service", "journalctl -u dicom-edge-fsck"),
        (
            target + unit("dicom-edge-scp.socket", active="failed"),
            State.FAULT,
            "scp.socket",
            "restart dicom-edge-scp.service",
        ),
        (target + unit("dicom-edge-backup.timer"), State.OK, "none of 2", ""),
        (target + unit("dicom-edge-backup.timer", active="inactive"), State.WARNING, "backup.timer", "enable --now"),
        (unit("appliance.target", file="disabled"), State.WARNING, "nothing starts", "enable appliance.target"),
        (unit("appliance.target", active="inactive"), State.WARNING, "is stopped", "start appliance.target"),
        (unit("appliance.target", load="not-found", active="inactive"), State.SKIPPED, "not installed", ""),
    ):
        done = subprocess.CompletedProcess((), 0, text, "")
        monkeypatch.setattr(subprocess, "run", lambda *_, answer=done, **__: answer)
        mended(working.units(found, ""), state, what, mend)


def unit(name: str, *, load: str = "loaded", active: str = "active", file: str = "enabled") -> str:
    """What systemctl show says of a unit."""
    return f"Id={name}\nLoadState={load}\nActiveState={active}\nUnitFileState={file}\n\n"


def stats(**values: Any) -> SinkStats:
    usual: dict[str, Any] = {
        "pending": 0, "leased": 0, "delivered": 9, "dead": 0, "buried": 0, "oldest_seconds": 0.0, "breaker": "closed",
        "reason": "", "active": True, "required": True, "held": "",
    }  # fmt: skip
    return SinkStats(**(usual | values))


@pytest.mark.parametrize(
    ("values", "state", "mend"),
    [
        ({}, State.OK, ""),
        ({"pending": 5, "oldest_seconds": 60.0}, State.OK, ""),
        ({"pending": 5, "oldest_seconds": 7200.0}, State.WARNING, "outbox list --sink centre"),
        ({"held": "moving house"}, State.WARNING, "sync resume centre"),
        ({"dead": 2}, State.WARNING, "dead list --sink centre"),
        ({"dead": 2, "breaker": "open", "reason": "refused"}, State.FAULT, "sink centre"),
    ],
)
def test_queues(values: dict[str, Any], state: State, mend: str) -> None:
    mended(together(working._troubles("centre", stats(**values)), ok("well")), state, "", mend)


def test_a_sink_that_the_outbox_does_not_know_yet(tmp_path: Path) -> None:
    new_archive(tmp_path / "home").close()
    sinks = {"new": {"kind": "memory"}}
    mended(working.deliveries(box(tmp_path, {"sync": {"sinks": sinks}}), "new"), State.WARNING, "not know", "restart")


@pytest.mark.skipif(os.geteuid() != 0, reason="the home belongs to whoever runs the tests")
def test_who_is_neither_root_nor_owner_is_told_so_instead_of_faults(tmp_path: Path) -> None:
    new_archive(tmp_path / "home").close()
    stranger = box(tmp_path, user=4711)
    kinds = ("room", "port", "sink", "queue", "schema", "login", "owner")
    found = examine(visits(CHECKS, stranger, kinds), stranger)
    assert {one.name.partition(" ")[0] for one in found} == set(kinds)
    assert {one.state for one in found} == {State.SKIPPED}


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that every user may pass through: that of the tests is closed."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory away")
def test_what_root_may_write_and_the_rooms_may_not(open_path: Path) -> None:
    tmp_path = open_path
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", 12345, 12345)
    (tmp_path / "out").mkdir(mode=0o700)
    sinks = {"out": {"kind": "directory", "path": tmp_path / "out"}}
    found = box(tmp_path, {"sync": {"sinks": sinks}})
    mended(destinations.sink(found, "out"), State.FAULT, "may not write", "chown")
    os.chown(tmp_path / "out", 12345, 12345)
    mended(destinations.sink(found, "out"), State.OK, "can be written", "")
