"""Files of JSON lines: whole lines, rotation, and mending after a writer that died or a disk that failed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.archive.files import DirectoryTree
from appliance.errors import ArchiveFailed
from appliance.sync.sinks import lines as lines_module
from appliance.sync.sinks.lines import TopicLines, mend_tail

TOPIC = "log_queue"


def _open(root: Path, rotate_bytes: int = 1000) -> TopicLines:
    return TopicLines(DirectoryTree(root), TOPIC, rotate_bytes)


def _files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((root / TOPIC).iterdir())}


def test_appends_to_the_newest_file_across_restarts(tmp_path: Path) -> None:
    for _ in range(2):
        lines = _open(tmp_path)
        lines.append(b"a\n")
        lines.append(b"b\n")
        lines.close()
    assert _files(tmp_path) == {"log_queue-000001.jsonl": b"a\nb\na\nb\n"}


def test_a_full_file_is_followed_by_the_next_number(tmp_path: Path) -> None:
    lines = _open(tmp_path, rotate_bytes=5)
    for data in (b"1234\n", b"5\n", b"67\n", b"longer than a file may be\n", b"8\n"):
        lines.append(data)
    lines.close()
    assert [len(data) for data in _files(tmp_path).values()] == [5, 5, 26, 2]


@pytest.mark.parametrize("tail", [b"", b"{", b'{"half": "a li', b"x" * 200_000])
@pytest.mark.parametrize("whole", [b"", b"one\n", b"one\ntwo\n" * 20_000])
def test_a_torn_tail_is_cut_when_the_file_is_opened(tmp_path: Path, whole: bytes, tail: bytes) -> None:
    (tmp_path / TOPIC).mkdir()
    (tmp_path / TOPIC / "log_queue-000007.jsonl").write_bytes(whole + tail)
    lines = _open(tmp_path, rotate_bytes=1 << 30)
    lines.append(b"new\n")
    lines.close()
    assert _files(tmp_path) == {"log_queue-000007.jsonl": whole + b"new\n"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_mending_keeps_exactly_the_whole_lines(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDWR)
    try:
        size = mend_tail(descriptor)
    finally:
        os.close(descriptor)
    kept = path.read_bytes()
    assert len(kept) == size
    assert data.startswith(kept)
    assert kept.count(b"\n") == data.count(b"\n")
    assert not kept or kept.endswith(b"\n")


def test_a_failed_write_leaves_whole_lines_and_the_next_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = _open(tmp_path)
    lines.append(b"first\n")

    def half(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(lines_module, "write_all", half)
    with pytest.raises(OSError, match="full"):
        lines.append(b"second\n")
    assert _files(tmp_path) == {"log_queue-000001.jsonl": b"first\n"}
    monkeypatch.undo()
    lines.append(b"second\n")
    lines.close()
    assert _files(tmp_path) == {"log_queue-000001.jsonl": b"first\nsecond\n"}


def test_a_file_whose_fsync_failed_is_never_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _open(tmp_path)
    lines.append(b"first\n")

    def failing(_: int) -> None:
        raise ArchiveFailed("fsync failed: EIO")

    monkeypatch.setattr(lines_module, "fsync", failing)
    with pytest.raises(ArchiveFailed):
        lines.append(b"second\n")
    monkeypatch.undo()
    lines.append(b"second\n")
    lines.close()
    assert _files(tmp_path) == {
        "log_queue-000001.jsonl": b"first\n",
        "log_queue-000002.jsonl": b"second\n",
    }


def test_a_file_that_a_consumer_took_away_is_not_appended_to(tmp_path: Path) -> None:
    lines = _open(tmp_path)
    lines.append(b"first\n")
    taken = tmp_path / "taken"
    (tmp_path / TOPIC / "log_queue-000001.jsonl").rename(taken)
    lines.append(b"second\n")
    lines.close()
    assert taken.read_bytes() == b"first\n"
    assert _files(tmp_path) == {"log_queue-000002.jsonl": b"second\n"}


def test_other_files_in_the_directory_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / TOPIC).mkdir()
    for name in ("log_queue-000009.jsonl.gz", "notes.txt", "log_queue-1.jsonl", "other-000050.jsonl"):
        (tmp_path / TOPIC / name).write_bytes(b"x")
    lines = _open(tmp_path)
    lines.append(b"a\n")
    lines.close()
    assert _files(tmp_path)["log_queue-000001.jsonl"] == b"a\n"
