"""Checks run beside each other; none of them can hold up or spoil the others."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from appliance.care.doctor.box import Box
from appliance.care.doctor.examining import Check, examine, visits
from appliance.care.doctor.finding import Finding, State, Verdict, fault, ok, skipped, together, warning
from appliance.errors import ConfigurationError
from tests.unit.care.doctor.boxes import box


def well(_box: Box, subject: str) -> Verdict:
    return ok(f"{subject} is well")


def test_a_check_that_hangs_is_a_finding(tmp_path: Path) -> None:
    released = threading.Event()

    def hangs(_box: Box, _subject: str) -> Verdict:
        released.wait(30)
        return ok("at last")

    checks = [Check("slow", hangs, seconds=0.05), Check("quick", well)]
    found = examine(visits(checks, box(tmp_path)), box(tmp_path))
    released.set()
    assert [(one.name, one.state) for one in found] == [("slow", State.FAULT), ("quick", State.OK)]
    assert "no answer within 0.05 s" in found[0].what


def test_more_hanging_checks_than_run_at_once_do_not_keep_the_last_from_its_turn(tmp_path: Path) -> None:
    released = threading.Event()

    def hangs(_box: Box, _subject: str) -> Verdict:
        released.wait(30)
        return ok("at last")

    many = Check("slow", hangs, lambda _box: [str(number) for number in range(20)], seconds=0.05)
    found = examine(visits([many, Check("last", well)], box(tmp_path)), box(tmp_path))
    released.set()
    assert [one.state for one in found] == [State.FAULT] * 20 + [State.OK]


def test_the_order_is_the_tables_whoever_is_quicker(tmp_path: Path) -> None:
    later = threading.Event()

    def waits(_box: Box, _subject: str) -> Verdict:
        later.wait(10)
        return ok("second")

    def releases(_box: Box, _subject: str) -> Verdict:
        later.set()
        return ok("first")

    told: list[Finding] = []
    found = examine(visits([Check("a", waits), Check("b", releases)], box(tmp_path)), box(tmp_path), told.append)
    assert [one.name for one in found] == ["a", "b"]
    assert told == found


def test_errors_become_lines_of_their_own(tmp_path: Path) -> None:
    def mistaken(_box: Box, _subject: str) -> Verdict:
        raise ConfigurationError("it is wrong", hint="put it right")

    def forbidden(_box: Box, _subject: str) -> Verdict:
        raise PermissionError(13, "no", "/secret")

    def defective(_box: Box, _subject: str) -> Verdict:
        raise ValueError("Patient^Name")

    checks = [Check("a", mistaken), Check("b", forbidden), Check("c", defective)]
    first, second, third = examine(visits(checks, box(tmp_path)), box(tmp_path))
    assert (first.state, first.what, first.mend) == (State.FAULT, "it is wrong", "put it right")
    assert second.state is State.SKIPPED
    assert "/secret" in second.what
    assert third.state is State.FAULT
    assert "Patient" not in third.what


def test_only_chooses_kinds_and_single_lines(tmp_path: Path) -> None:
    checks = [Check("sink", well, lambda _box: ["a", "b"]), Check("disk", well)]
    assert [one.name for one in visits(checks, box(tmp_path), ["sink"])] == ["sink a", "sink b"]
    assert [one.name for one in visits(checks, box(tmp_path), ["sink b", "disk"])] == ["sink b", "disk"]
    assert visits(checks, box(tmp_path), ["other"]) == []


def test_of_many_verdicts_the_worst_speaks() -> None:
    found = together([ok("a"), warning("b", "mend b"), fault("c", "mend"), fault("d", "mend")], ok("none"))
    assert (found.state, found.what, found.mend) == (State.FAULT, "c; d", "mend")
    assert together([], skipped("nothing there")) == skipped("nothing there")


def test_a_home_that_is_shut_away_is_none_of_a_strangers_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = box(tmp_path, user=12345)
    assert found.is_insider, "that it is not there can be seen"

    def shut(_path: Path) -> None:
        raise PermissionError(13, "not permitted")

    monkeypatch.setattr(Path, "stat", shut)
    assert not found.is_insider
