"""Stopping, and the numbers rooms publish."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import AlreadyRunning
from appliance.lifecycle import Notices, Stop, publish, read_rooms, sole_process, withdraw


@pytest.fixture
def stop() -> Iterator[Stop]:
    stop = Stop()
    yield stop
    stop.close()


def test_a_wait_ends_when_it_is_set_elsewhere(stop: Stop) -> None:
    assert not stop.wait(0)
    thread = threading.Thread(target=stop.set)
    thread.start()
    assert stop.wait(10)
    thread.join()


def test_it_stays_set_for_everyone(stop: Stop) -> None:
    stop.set()
    stop.set()
    assert stop.is_set() and stop.wait() and stop.wait(5)
    assert select.select([stop], [], [], 0)[0] == [stop]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_it_while_the_main_thread_waits(number: signal.Signals) -> None:
    program = (
        "from appliance.lifecycle import Stop; s = Stop(); s.install(); print('up', flush=True);"
        "print(s.wait(60), flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.stdout.readline() == "True\n"
        assert process.wait(10) == 0


def test_numbers_come_back_with_the_room_that_wrote_them(tmp_path: Path) -> None:
    publish(tmp_path / "run", "scp", {"associations": {"open": 3}})
    facts = read_rooms(tmp_path / "run")["scp"]
    assert facts["associations"] == {"open": 3}
    assert (facts["room"], facts["pid"], facts["alive"]) == ("scp", os.getpid(), True)
    assert 0 <= facts["age_seconds"] < 10


def test_publishing_again_replaces_the_numbers_and_leaves_nothing_else(tmp_path: Path) -> None:
    for count in (1, 2):
        publish(tmp_path, "scp", {"count": count})
    assert [path.name for path in tmp_path.iterdir()] == ["scp.json"]
    assert read_rooms(tmp_path)["scp"]["count"] == 2


def test_a_room_that_is_gone_or_silent_is_not_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: gone.pid)
        publish(tmp_path, "gone", {})
    publish(tmp_path, "silent", {})
    silent = tmp_path / "silent.json"
    silent.write_text(silent.read_text().replace('"at": ', '"at": -'))
    assert [room["alive"] for room in read_rooms(tmp_path).values()] == [False, False]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    publish(tmp_path, "web", {})
    for name, text in {"a.json": "{", "b.json": "[]", "c.json": "{}", "d.json": '{"at": "x"}'}.items():
        (tmp_path / name).write_text(text)
    assert list(read_rooms(tmp_path)) == ["web"]
    assert read_rooms(tmp_path / "nowhere") == {}


def test_a_room_that_ended_in_order_is_not_listed(tmp_path: Path) -> None:
    publish(tmp_path, "web", {})
    withdraw(tmp_path, "web")
    withdraw(tmp_path, "web")
    assert read_rooms(tmp_path) == {}


def test_the_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notices = Notices()
        notices.ready()
        notices.watchdog()
        notices.stopping()
        notices.close()
        assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_a_start_or_an_end_that_takes_its_time_says_so(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, pytest.MonkeyPatch.context() as patched:
        manager.bind(address)
        patched.setenv("NOTIFY_SOCKET", address)
        notices = Notices()
        notices.extend(1.5)
        notices.opening()
        notices.draining(30)
        notices.close()
        heard = [manager.recv(100).decode() for _ in range(6)]
    assert heard[0] == "EXTEND_TIMEOUT_USEC=1500000"
    assert heard[1:3] == [f"EXTEND_TIMEOUT_USEC={600 * 10**6}", "STATUS=opening the archive"]
    assert heard[3:] == ["STOPPING=1", f"EXTEND_TIMEOUT_USEC={60 * 10**6}", "STATUS=finishing what is under way"]
    assert notices.heard


def test_without_a_service_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notices = Notices()
    notices.ready()
    notices.close()
    assert not notices.heard


def test_a_second_holder_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    with sole_process(tmp_path, "sync"), sole_process(tmp_path, "scp"):
        with pytest.raises(AlreadyRunning, match=r"\(appliance sync\)") as caught, sole_process(tmp_path, "sync"):
            pass
        assert caught.value.retryable
        assert "stop it first" in caught.value.hint
    with sole_process(tmp_path, "sync"):
        pass
