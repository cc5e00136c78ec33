"""Failpoints: silent unless asked, exact when asked."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from appliance.failpoints import NAMES, VARIABLE, Failpoints

FIRST, SECOND = NAMES[:2]


def test_nothing_happens_without_the_variable() -> None:
    points = Failpoints({})
    for name in NAMES:
        points.reach(name)


def test_an_errno_is_raised_at_its_place_only() -> None:
    points = Failpoints({VARIABLE: f"{FIRST}=EIO"})
    points.reach(SECOND)
    for _ in range(2):
        with pytest.raises(OSError) as failure:
            points.reach(FIRST)
        assert failure.value.errno == errno.EIO


def test_a_numbered_hit_strikes_once() -> None:
    points = Failpoints({VARIABLE: f"{FIRST}=ENOSPC@2, {SECOND}=EIO@1"})
    points.reach(FIRST)
    with pytest.raises(OSError) as failure:
        points.reach(FIRST)
    assert failure.value.errno == errno.ENOSPC
    points.reach(FIRST)


def test_kill_ends_the_process_without_a_farewell() -> None:
    program = f"import atexit, appliance.failpoints as f; atexit.register(print, 'bye'); f.failpoint({FIRST!r})"
    environ = {**os.environ, VARIABLE: f"{FIRST}=kill"}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environ, stdout=subprocess.PIPE, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, b"")


def test_an_unregistered_name_is_an_error_even_when_nothing_is_asked_for() -> None:
    with pytest.raises(KeyError):
        Failpoints({}).reach("nowhere")


@pytest.mark.parametrize(
    "text",
    ["nowhere=kill", FIRST, f"{FIRST}=EWHATEVER", f"{FIRST}=kill@0", f"{FIRST}=kill@", f"{FIRST}=kill@x"],
)
def test_a_wrong_word_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=VARIABLE):
        Failpoints({VARIABLE: text})


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)
