"""The waiting line: bounded, in order, screens before preparation."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.codec.faults import CodecBusy
from appliance.codec.line import Line, Task
from appliance.codec.source import Source

SOURCE = Source(Path("/nowhere"), 0, 0, "1.2.840.10008.1.2.1")


def task(*, background: bool = False) -> Task:
    return Task("native", SOURCE, {}, None, background=background)


def test_tasks_are_taken_in_order_those_of_a_screen_first() -> None:
    line = Line(10, 2)
    tasks = [task(background=True), task(background=True), task(), task()]
    for one in tasks:
        line.join(one)
    assert [line.take(0) for _ in tasks] == [tasks[2], tasks[3], tasks[0], tasks[1]]
    assert line.take(0) is None


def test_a_worker_is_always_left_for_screens() -> None:
    line = Line(10, 1)
    first, second = task(background=True), task(background=True)
    line.join(first)
    line.join(second)
    assert line.take(0) is first
    assert line.take(0) is None
    line.finish(first)
    assert line.take(0) is second


def test_a_full_line_takes_nobody() -> None:
    line = Line(1, 1)
    line.join(task())
    with pytest.raises(CodecBusy):
        line.join(task())


def test_what_is_begun_cannot_be_withdrawn() -> None:
    line = Line(2, 1)
    begun, waiting = task(), task()
    line.join(begun)
    line.join(waiting)
    assert line.take(0) is begun
    assert not line.withdraw(begun)
    assert line.withdraw(waiting)
    assert line.take(0) is None


def test_closing_fails_what_waits_and_lets_nobody_in() -> None:
    line = Line(2, 1)
    waiting = task()
    line.join(waiting)
    line.close()
    assert waiting.wait(0)
    with pytest.raises(CodecBusy):
        waiting.result()
    with pytest.raises(CodecBusy):
        line.join(task())
    assert line.take(0) is None
