"""Memory, clock and zone."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.care.doctor import machine
from appliance.care.doctor.finding import State
from tests.clocks import FakeClock
from tests.unit.care.doctor.boxes import box, mended, put

MEMINFO = "MemTotal: {total} kB\nMemFree: 1 kB\nMemAvailable: {available} kB\nHugePages_Total:       0\n"


@pytest.mark.parametrize(
    ("total", "available", "state"),
    [(4_000_000, 3_000_000, State.OK), (4_000_000, 300_000, State.WARNING), (4_000_000, 50_000, State.FAULT),
     (900_000, 600_000, State.WARNING)],
)  # fmt: skip
def test_memory(tmp_path: Path, total: int, available: int, state: State) -> None:
    found = box(tmp_path)
    put(found, "/proc/meminfo", MEMINFO.format(total=total, available=available))
    assert machine.memory(found, "").state is state


def test_the_kernel_is_asked_for_its_clock() -> None:
    disciplined, error = machine.synchronised()
    assert isinstance(disciplined, bool)
    assert error >= 0


@pytest.mark.parametrize(
    ("answer", "state", "what", "mend"),
    [((True, 0.01), State.OK, "at most 10 ms", ""), ((True, 3.0), State.WARNING, "3.0 s off", "chronyc"),
     ((False, 16.0), State.WARNING, "nobody", "chrony")],
)  # fmt: skip
def test_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: tuple[bool, float], state: State, what: str, mend: str
) -> None:
    monkeypatch.setattr(machine, "synchronised", lambda: answer)
    mended(machine.clock(box(tmp_path), ""), state, what, mend)


def test_a_clock_years_behind(tmp_path: Path) -> None:
    mended(machine.clock(box(tmp_path, clock=FakeClock(0)), ""), State.FAULT, "years behind", "set it")


def test_the_zone_of_the_machine_and_that_of_images(tmp_path: Path) -> None:
    found = box(tmp_path)
    assert machine.zone(found, "").state is State.SKIPPED
    found.place("/etc").mkdir()
    found.place("/etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Vienna")
    mended(machine.zone(found, ""), State.WARNING, "Europe/Vienna", 'archive.timezone = "Europe/Vienna"')
    chosen = box(tmp_path, origins={"archive.timezone": "a.toml"})
    assert machine.zone(chosen, "").state is State.OK
