"""Kept frames: bounded, lasting, never trusted blindly."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.codec import cache as module
from appliance.codec.cache import FrameCache
from appliance.codec.outcome import Outcome

DIGEST = "ab" * 32


def outcome(size: int = 100, value: int = 7) -> Outcome:
    return Outcome({"rows": 1, "frames": 2}, bytes([value]) * size)


def only_file(folder: Path) -> Path:
    (path,) = folder.glob("*/*.frame")
    return path


def test_a_frame_outlives_the_process(tmp_path: Path) -> None:
    assert FrameCache(tmp_path, 1 << 20).write(DIGEST, 2, outcome())
    kept = FrameCache(tmp_path, 1 << 20)
    assert kept.read(DIGEST, 2) == outcome()
    assert kept.holds(DIGEST, 2)
    assert kept.read(DIGEST, 1) is None


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-1],
    "empty": lambda data: b"",
    "short": lambda data: data[:5],
    "changed": lambda data: data[:-1] + b"\0",
    "zeros": lambda data: bytes(len(data)),
    "long head": lambda data: b"\xff" * len(data),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_absent_and_goes(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    kept = FrameCache(tmp_path, 1 << 20)
    kept.write(DIGEST, 1, outcome())
    path = only_file(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert kept.read(DIGEST, 1) is None
    assert not path.exists()


def test_a_file_of_another_program_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FrameCache(tmp_path, 1 << 20).write(DIGEST, 1, outcome())
    monkeypatch.setattr(module, "FORMAT", "another")
    assert FrameCache(tmp_path, 1 << 20).read(DIGEST, 1) is None


def test_what_a_kill_left_half_written_goes(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    left = tmp_path / "ab" / "x.frame.1234.part"
    left.write_bytes(b"half")
    FrameCache(tmp_path, 1 << 20)
    assert not left.exists()


def test_the_budget_is_kept_and_the_least_recently_used_go(tmp_path: Path) -> None:
    budget = 160_000
    kept = FrameCache(tmp_path, budget)
    for number in range(1, 101):
        assert kept.write(DIGEST, number, outcome(4000, number))
        path = tmp_path / "ab" / f"{DIGEST[2:]}-{number}.frame"
        os.utime(path, (number, number))
        if kept.holds(DIGEST, 1):
            os.utime(tmp_path / "ab" / f"{DIGEST[2:]}-1.frame", (1000, 1000))
    assert kept.size() <= budget + budget // 16
    assert kept.prune() >= 0
    assert kept.size() <= budget
    assert kept.holds(DIGEST, 1)
    assert kept.holds(DIGEST, 100)
    assert not kept.holds(DIGEST, 2)


def test_what_is_too_long_for_the_budget_is_not_kept(tmp_path: Path) -> None:
    kept = FrameCache(tmp_path, 1600)
    assert not kept.write(DIGEST, 1, outcome(101))
    assert not FrameCache(tmp_path, 0).keeps


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    kept = FrameCache(tmp_path, 1 << 20)
    (tmp_path / "ab").write_bytes(b"a file where a directory should be")
    assert not kept.write(DIGEST, 1, outcome())


def test_only_digests_become_paths(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="digest"):
        FrameCache(tmp_path, 1 << 20).read("../../etc/passwd", 1)
