"""The codec service as systemd starts it: killed, frozen, idle. Its death costs one deadline and no request."""

from __future__ import annotations

import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.codec.doorway import bind
from appliance.codec.faults import CodecBusy, CodecFault, Kind
from appliance.codec.limits import Limits
from appliance.codec.remote import RemotePool
from appliance.codec.service import Service
from appliance.lifecycle import Stop
from tests.builders.sources import slices
from tests.crash.test_codec import state_of
from tests.partners.codec_room import CodecRoom
from tests.partners.service_manager import Ear
from tests.waiting import wait_until

FRAME = {"frame": 1}


def child_of(pid: int) -> int:
    """The process id of a child, 0 while there is none."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(") ")[2].split()[1]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == pid:
            return int(path.parent.name)
    return 0


def test_a_task_whose_service_is_killed_before_it_has_it_is_done_by_the_next_one(tmp_path: Path) -> None:
    ((source, pixels),) = slices(tmp_path, 1)
    with CodecRoom(tmp_path) as room, ThreadPoolExecutor(1) as viewer:
        pool = RemotePool(room.path, Limits())
        process = room.start()
        assert pool.run("native", source, FRAME).data == pixels
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: state_of(process.pid) == "T")
        outcome = viewer.submit(pool.run, "native", source, FRAME)
        room.restart()
        assert outcome.result(20).data == pixels


def test_a_task_in_the_middle_is_tried_once_more_and_then_blamed(tmp_path: Path) -> None:
    (bad, _), (good, pixels) = slices(tmp_path, 2, at_0="hang")
    with CodecRoom(tmp_path, deadline_seconds=60, workers=1) as room, ThreadPoolExecutor(1) as viewer:
        pool = RemotePool(room.path, Limits(deadline_seconds=60.0))
        room.start()
        outcome = viewer.submit(pool.run, "native", bad, FRAME)
        for _ in range(2):
            assert room.process is not None
            pid = room.process.pid
            child = wait_until(lambda pid=pid: child_of(pid))  # type: ignore[misc]
            room.restart()
            wait_until(lambda child=child: state_of(child) in ("", "Z"))  # type: ignore[misc]
        fault = outcome.exception(30)
        assert isinstance(fault, CodecFault)
        assert fault.kind is Kind.CRASHED
        with pytest.raises(CodecFault):
            pool.run("native", bad, FRAME)
        assert pool.run("native", good, FRAME).data == pixels


@pytest.mark.full
def test_a_service_that_is_frozen_costs_one_deadline(tmp_path: Path) -> None:
    ((source, pixels),) = slices(tmp_path, 1)
    with CodecRoom(tmp_path) as room:
        process = room.start()
        pool = RemotePool(room.path, Limits(deadline_seconds=1.0))
        RemotePool(room.path, Limits()).run("native", source, FRAME)
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(CodecBusy):
            pool.run("native", source, FRAME)
        process.send_signal(signal.SIGCONT)
        assert pool.run("native", source, FRAME).data == pixels


def test_it_ends_when_idle_and_is_there_again_for_the_next_request(tmp_path: Path) -> None:
    ((source, pixels),) = slices(tmp_path, 1)
    with CodecRoom(tmp_path, idle_exit_seconds=0.3) as room, ThreadPoolExecutor(1) as viewer:
        pool = RemotePool(room.path, Limits())
        process = room.start()
        assert pool.run("native", source, FRAME).data == pixels
        assert process.wait(30) == os.EX_OK
        outcome = viewer.submit(pool.run, "native", source, FRAME)
        room.start()
        assert outcome.result(30).data == pixels


def test_no_request_is_lost_while_it_ends_over_and_over(tmp_path: Path) -> None:
    ((source, pixels),) = slices(tmp_path, 1)
    stop, limits, chance = Stop(), Limits(workers=1), random.Random(1)
    lives = 0

    def manager() -> None:
        nonlocal lives
        while not stop.is_set():
            service = Service(listener, limits)
            service.serve(stop, chance.random() * 0.004, lambda: None)
            service.close(lambda: None)
            lives += 1

    with bind(tmp_path / "codec.sock") as listener:
        thread = threading.Thread(target=manager)
        thread.start()
        pool, pause = RemotePool(listener.getsockname(), limits), threading.Event()
        try:
            for _ in range(15):
                assert pool.run("native", source, FRAME).data == pixels
                pause.wait(chance.random() * 0.006)
        finally:
            stop.set()
            thread.join()
            stop.close()
    assert lives > 3


def test_a_signal_ends_it_in_order(tmp_path: Path) -> None:
    ((source, pixels),) = slices(tmp_path, 1)
    with Ear(tmp_path / "notify") as ear, CodecRoom(tmp_path, deadline_seconds=120) as room:
        process = room.start(NOTIFY_SOCKET=str(ear.path))
        assert RemotePool(room.path, Limits()).run("native", source, FRAME).data == pixels
        ear.wait_for("WATCHDOG=1")
        process.terminate()
        assert process.wait(30) == os.EX_OK
        assert "door closed" in room.output()
        heard = ear.listen()
    # What is under way is let finish, however long a task may take.
    (extended,) = (int(line.partition("=")[2]) for line in heard if line.startswith("EXTEND_TIMEOUT_USEC="))
    assert extended > 120_000_000
    assert heard.index("READY=1") < heard.index("STOPPING=1")
