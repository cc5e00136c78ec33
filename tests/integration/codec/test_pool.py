"""The pool: its line, its ends, its children's lives."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.codec.faults import CodecBusy, CodecFault, Kind
from appliance.codec.landlock import ASK_VERSION, CREATE_RULESET
from tests.builders.sources import slices
from tests.integration.codec.pools import Notebook, children, descriptors, planted_pool
from tests.waiting import wait_until


def test_sixteen_callers_share_two_children(tmp_path: Path) -> None:
    series = slices(tmp_path, 64)
    with planted_pool(deadline_seconds=30.0) as pool, ThreadPoolExecutor(16) as viewers:
        done = list(viewers.map(lambda entry: pool.run("native", entry[0], {"frame": 1}).data == entry[1], series))
        assert all(done)
        assert len(pool.pids()) == 2


def test_nothing_is_started_before_there_is_work() -> None:
    with planted_pool() as pool:
        assert not pool.pids()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("codec")]


def test_a_full_line_answers_at_once(tmp_path: Path) -> None:
    series = slices(tmp_path, 4, at_0="hang", at_1="hang")
    with planted_pool(workers=1, waiting=1, deadline_seconds=20.0) as pool, ThreadPoolExecutor(2) as viewers:
        first = viewers.submit(pool.run, "native", series[0][0], {"frame": 1})
        wait_until(pool.pids)
        second = viewers.submit(pool.run, "native", series[1][0], {"frame": 1})
        wait_until(lambda: pool.waiting == 1)
        with pytest.raises(CodecBusy) as fault:
            pool.run("native", series[2][0], {"frame": 1})
        assert fault.value.retryable
        pool.close()
        assert isinstance(first.exception(), CodecBusy)
        assert isinstance(second.exception(), CodecBusy)


def test_who_waits_as_long_as_a_task_may_take_is_sent_away(tmp_path: Path) -> None:
    series = slices(tmp_path, 3, at_0="hang", at_1="hang")
    with planted_pool(workers=1, deadline_seconds=2.0) as pool, ThreadPoolExecutor(3) as viewers:
        asked = [viewers.submit(pool.run, "native", source, {"frame": 1}) for source, _ in series]
        kinds = [fault.kind for future in asked if isinstance(fault := future.exception(), CodecFault)]
        assert kinds.count(Kind.TIMED_OUT) >= 1
        assert set(kinds) <= {Kind.TIMED_OUT, Kind.BUSY}
        assert kinds.count(Kind.BUSY) >= 1
        assert pool.waiting == 0


def test_closing_ends_children_that_hang(tmp_path: Path) -> None:
    before = descriptors()
    series = slices(tmp_path, 2, at_0="hang", at_1="hang")
    with planted_pool(deadline_seconds=60.0) as pool, ThreadPoolExecutor(2) as viewers:
        asked = [viewers.submit(pool.run, "native", source, {"frame": 1}) for source, _ in series]
        wait_until(lambda: len(pool.pids()) == 2)
        pids = pool.pids()
        begun = time.monotonic()
        pool.close()
        assert time.monotonic() - begun < 10
        assert all(isinstance(future.exception(), CodecBusy) for future in asked)
    assert not set(pids) & set(children())
    assert descriptors() <= before
    with pytest.raises(CodecBusy):
        pool.run("native", series[0][0], {"frame": 1})


def test_a_child_killed_while_idle_is_not_noticed(tmp_path: Path) -> None:
    ((source, pixels),) = slices(tmp_path, 1)
    with planted_pool(workers=1) as pool:
        pool.run("native", source, {"frame": 1})
        (pid,) = pool.pids()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: children().get(pid) == "Z")
        assert pool.run("native", source, {"frame": 1}).data == pixels
        assert pool.pids() != [pid]
        assert pid not in children()


def test_a_child_killed_at_work_is_a_crash(tmp_path: Path) -> None:
    ((bad, _), (good, pixels)) = slices(tmp_path, 2, at_0="hang")
    with planted_pool(workers=1, deadline_seconds=60.0) as pool, ThreadPoolExecutor(1) as viewers:
        asked = viewers.submit(pool.run, "native", bad, {"frame": 1})
        (pid,) = wait_until(pool.pids)
        os.kill(pid, signal.SIGKILL)
        fault = asked.exception()
        assert isinstance(fault, CodecFault)
        assert fault.kind is Kind.CRASHED
        assert pool.run("native", good, {"frame": 1}).data == pixels


def test_a_child_is_replaced_after_its_tasks(tmp_path: Path) -> None:
    notebook = Notebook()
    ((source, pixels),) = slices(tmp_path, 1)
    with planted_pool(notebook, workers=1, tasks_per_child=2) as pool:
        for _ in range(5):
            assert pool.run("native", source, {"frame": 1}).data == pixels
        assert notebook.ended == ["recycled", "recycled"]


def test_an_idle_child_is_ended(tmp_path: Path) -> None:
    ((source, _),) = slices(tmp_path, 1)
    with planted_pool(workers=1, idle_seconds=0.2) as pool:
        pool.run("native", source, {"frame": 1})
        wait_until(lambda: not pool.pids())


def test_the_sink_takes_a_long_result_and_its_own_error_comes_back(tmp_path: Path) -> None:
    ((source, pixels),) = slices(tmp_path, 1)
    with planted_pool() as pool:
        pieces: list[bytes] = []
        outcome = pool.run("transcode", source, {}, sink=pieces.append)
        assert outcome.data == b""
        assert b"".join(pieces)[128:132] == b"DICM"
        assert pixels in b"".join(pieces)

        def full(data: bytes) -> None:
            raise OSError(28, "No space left on device")

        with pytest.raises(OSError, match="No space"):
            pool.run("transcode", source, {}, sink=full)
        assert pool.run("native", source, {"frame": 1}).data == pixels


def test_a_child_reads_no_file_but_its_own(tmp_path: Path) -> None:
    ((source, pixels),) = slices(tmp_path, 1, at_0="pry")
    if ctypes.CDLL(None).syscall(CREATE_RULESET, None, 0, ASK_VERSION) < 1:
        pytest.skip("this kernel has no Landlock")
    with planted_pool(workers=1) as pool:
        assert pool.run("native", source, {"frame": 1}).data == pixels


def test_a_child_has_no_network_no_environment_and_few_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET", "x")
    ((source, _),) = slices(tmp_path, 1)
    with planted_pool(workers=1) as pool:
        pool.run("native", source, {"frame": 1})
        (pid,) = pool.pids()
        assert b"APPLIANCE" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
        assert "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()
        assert "Max address space         805306368" in Path(f"/proc/{pid}/limits").read_text()
        if Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink():
            assert len(Path(f"/proc/{pid}/net/route").read_text().splitlines()) <= 1
        # The object is closed again, and nothing of the parent's was inherited.
        opened = [path.readlink() for path in Path(f"/proc/{pid}/fd").iterdir()]
        assert {str(path).split(":")[0] for path in opened} <= {"socket", "/dev/null"}
