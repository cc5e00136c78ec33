"""The codec service: a pool behind a socket, with the same results and the same faults, whatever callers do."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from appliance.codec import caller, remote, service
from appliance.codec.doorway import bind, may_ask, owner_of
from appliance.codec.faults import CodecBusy, CodecFault, Kind
from appliance.codec.limits import Limits
from appliance.codec.remote import RemotePool
from appliance.codec.source import Source
from appliance.codec.wire import DATA, FACTS, HEAD, TASK
from appliance.errors import AlreadyRunning, ConfigurationError
from appliance.liveness import Liveness
from tests.builders.instances import ct
from tests.builders.sources import slices, written
from tests.clocks import FakeClock
from tests.integration.codec.pools import Notebook, descriptors
from tests.integration.codec.services import Served, served
from tests.waiting import wait_until

DEEDS = {"hang": Kind.TIMED_OUT, "crash": Kind.CRASHED, "flood": Kind.TOO_LARGE, "cry": Kind.REFUSED}
SOUND = {
    "operation": "native",
    "arguments": {"frame": 1},
    "offset": 0,
    "length": 1,
    "transfer_syntax_uid": "1.2.840.10008.1.2.1",
    "assumed_charset": "",
    "background": False,
}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("room")) as room:
        yield room


def document_of(source: Source) -> dict[str, Any]:
    return {**SOUND, "offset": source.offset, "length": source.length}


def asked(connection: socket.socket, document: Any, *files: int) -> None:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    socket.send_fds(connection, [HEAD.pack(TASK, len(payload))], list(files))
    connection.sendall(payload)


def everything(connection: socket.socket) -> bytes:
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize(("deed", "kind"), DEEDS.items())
def test_a_bad_object_ends_in_the_fault_it_has_in_a_pool_and_the_next_one_is_served(
    room: Served, tmp_path: Path, deed: str, kind: Kind
) -> None:
    notebook = Notebook()
    (bad, _), (good, pixels) = slices(tmp_path, 2, at_0=deed)
    pool = room.asking(notebook)
    with pytest.raises(CodecFault) as fault:
        pool.run("native", bad, {"frame": 1})
    assert fault.value.kind is kind
    assert "SECRET" not in str(fault.value)
    assert pool.run("native", good, {"frame": 1}).data == pixels
    assert notebook.tasks == [("native", kind.value), ("native", "done")]
    assert kind is Kind.REFUSED or kind.value in notebook.ended


def test_what_has_cost_two_children_costs_no_third_whoever_asks(room: Served, tmp_path: Path) -> None:
    ((bad, _),) = slices(tmp_path, 1, at_0="crash")
    for _ in range(3):
        with pytest.raises(CodecFault) as fault:
            room.asking().run("native", bad, {"frame": 1})
        assert fault.value.kind is Kind.CRASHED
    notebook = Notebook()
    with pytest.raises(CodecFault):
        room.asking(notebook).run("native", bad, {"frame": 1})
    before = notebook.ended.count("crashed")
    with pytest.raises(CodecFault):
        room.asking(notebook).run("native", bad, {"frame": 1})
    assert notebook.ended.count("crashed") == 2 * before


def test_the_sink_takes_a_long_result_and_its_own_error_comes_back(room: Served, tmp_path: Path) -> None:
    ((source, pixels),) = slices(tmp_path, 1)
    pieces: list[bytes] = []
    pool = room.asking()
    assert pool.run("transcode", source, {}, sink=pieces.append).data == b""
    assert b"".join(pieces)[128:132] == b"DICM"
    assert pixels in b"".join(pieces)

    def full(data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        pool.run("transcode", source, {}, sink=full)
    assert pool.run("native", source, {"frame": 1}).data == pixels


def test_a_file_that_cannot_be_opened_is_the_callers_own_error(room: Served, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        room.asking().run("native", Source(tmp_path / "none", 0, 1, "1.2"), {"frame": 1})


def test_a_thousand_tasks_leave_no_descriptor_and_no_thread_behind(room: Served, tmp_path: Path) -> None:
    ((source, pixels),) = slices(tmp_path, 1)
    pool = room.asking()
    assert pool.run("native", source, {"frame": 1}).data == pixels
    wait_until(lambda: not room.service.serving)
    before, threads = len(descriptors()), threading.active_count()
    for _ in range(1000):
        assert pool.run("native", source, {"frame": 1}).data == pixels
    wait_until(lambda: not room.service.serving)
    # One of the children's sockets more or less: they are replaced now and then.
    assert len(descriptors()) <= before + room.limits.workers
    # Who asks again at once may find the thread that served it still tidying up.
    assert threading.active_count() <= threads + room.limits.workers


def test_sixteen_callers_share_two_children(room: Served, tmp_path: Path) -> None:
    series = slices(tmp_path, 64)
    pool = room.asking()
    with ThreadPoolExecutor(16) as viewers:
        assert all(viewers.map(lambda entry: pool.run("native", entry[0], {"frame": 1}).data == entry[1], series))
    assert len(room.pool.pids()) <= 2


NONSENSE: dict[str, Any] = {
    "a list": [],
    "no JSON": b"{",
    "nothing": {},
    "an offset that is none": {**SOUND, "offset": -1},
    "a length that is true": {**SOUND, "length": True},
    "an endless number": {**SOUND, "length": 1 << 70},
    "arguments that are none": {**SOUND, "arguments": "x"},
    "a long word": {**SOUND, "operation": "x" * 65},
    "deep brackets": b"[" * 100_000,
}


@pytest.mark.parametrize("document", NONSENSE.values(), ids=NONSENSE.keys())
def test_a_document_that_is_no_task_ends_the_connection(room: Served, tmp_path: Path, document: Any) -> None:
    (tmp_path / "file").touch()
    with room.connected() as connection, (tmp_path / "file").open("rb") as file:
        asked(connection, document, file.fileno())
        assert everything(connection) == b""


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 4096, HEAD.pack(TASK, (1 << 20) + 1), b""])
def test_bytes_that_are_no_message_end_the_connection(room: Served, data: bytes) -> None:
    with room.connected() as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection) == b""


def test_a_task_longer_than_any_is_not_waited_for(
    room: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "ASKING_SECONDS", 1000.0)
    with room.connected() as connection, written(tmp_path, ct()).path.open("rb") as file:
        socket.send_fds(connection, [HEAD.pack(TASK, caller.LONGEST_TASK + 1)], [file.fileno()])
        assert everything(connection) == b""


def test_a_task_needs_one_plain_file_that_is_open_for_reading_alone(room: Served, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    for files in ([], [reader], [os.open(tmp_path / "new", os.O_RDWR | os.O_CREAT)], [os.open(tmp_path, os.O_RDONLY)]):
        with room.connected() as connection:
            asked(connection, SOUND, *files)
            assert everything(connection) == b""
        for file in files:
            os.close(file)
    os.close(writer)


def test_who_connects_and_says_nothing_is_sent_away(room: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "ASKING_SECONDS", 0.2)
    with room.connected() as silent, room.connected() as slow:
        slow.sendall(HEAD.pack(TASK, 100))
        assert everything(silent) == everything(slow) == b""


def test_a_caller_that_hangs_up_frees_the_child_and_its_place_in_line(tmp_path: Path) -> None:
    series = slices(tmp_path, 3, at_0="hang", at_1="hang")
    with served(tmp_path, workers=1, deadline_seconds=60.0) as room:
        connections = [room.connected() for _ in range(2)]
        for connection, (source, _) in zip(connections, series, strict=False):
            with source.path.open("rb") as file:
                asked(connection, document_of(source), file.fileno())
                wait_until(room.pool.pids)
        wait_until(lambda: room.pool.waiting == 1)
        connections[1].close()
        wait_until(lambda: room.pool.waiting == 0)
        connections[0].close()
        assert room.asking().run("native", series[2][0], {"frame": 1}).data == series[2][1]
        wait_until(lambda: not room.service.serving)


def test_a_caller_that_takes_nothing_is_given_up_and_the_object_is_not_blamed(tmp_path: Path) -> None:
    source = written(tmp_path, ct(Rows=1024, Columns=1024, PixelData=bytes(2 << 20)))
    with served(tmp_path, workers=1, deadline_seconds=1.0) as room:
        for _ in range(2):
            with room.connected() as connection, source.path.open("rb") as file:
                asked(connection, document_of(source), file.fileno())
                wait_until(lambda: room.service.serving)
                wait_until(lambda: not room.service.serving)
        assert len(room.asking().run("native", source, {"frame": 1}).data) == 2 << 20


def test_a_caller_that_takes_nothing_keeps_nobody_else_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BEAT_SECONDS", 0.01)
    large = written(tmp_path, ct(Rows=1024, Columns=1024, PixelData=bytes(2 << 20)))
    ((small, pixels),) = slices(tmp_path, 1)
    with served(tmp_path, workers=2, deadline_seconds=10.0) as room:
        with room.connected() as connection, large.path.open("rb") as file:
            asked(connection, document_of(large), file.fileno())
            (slow,) = wait_until(lambda: [one for one in list(room.service._callers) if one._stalled])
            for _ in range(3):
                assert room.asking().run("native", small, {"frame": 1}).data == pixels
            assert slow in room.service._callers
        wait_until(lambda: not room.service.serving)


def test_a_hung_decoder_is_only_blamed_after_all_that_a_task_is_allowed(tmp_path: Path) -> None:
    clock = FakeClock()
    liveness = Liveness(clock.monotonic)
    with served(tmp_path, deadline_seconds=100.0, start_seconds=10.0) as room:
        begun = clock.monotonic()
        room.pool.began = lambda: begun  # type: ignore[method-assign]
        room.service.live_in(liveness)
        clock.advance(10 + 100 + 50)  # start, decode, and a caller that takes its time with the last piece
        assert liveness.stuck() == ()
        clock.advance(31)
        assert liveness.stuck() == ("decoding",)


def test_too_many_callers_are_told_so_at_once(tmp_path: Path) -> None:
    ((source, _),) = slices(tmp_path, 1)
    with served(tmp_path, workers=1, waiting=1) as room:
        silent = [room.connected() for _ in range(room.service.most)]
        wait_until(lambda: room.service.serving == room.service.most)
        with pytest.raises(CodecBusy):
            room.asking().run("native", source, {"frame": 1})
        for connection in silent:
            connection.close()
        wait_until(lambda: not room.service.serving)
        assert room.asking().run("native", source, {"frame": 1}).data


def test_tasks_under_way_and_in_line_are_done_when_the_service_is_to_stop(tmp_path: Path) -> None:
    before = descriptors()
    series = slices(tmp_path, 8)
    with ThreadPoolExecutor(8) as viewers:
        with served(tmp_path, workers=1) as room:
            pool = room.asking()
            asked = [viewers.submit(pool.run, "native", source, {"frame": 1}) for source, _ in series]
            wait_until(lambda: room.pool.waiting == len(series) - 1, every=0.001)
        assert [future.result().data for future in asked] == [pixels for _, pixels in series]
    assert descriptors() <= before


def test_a_service_that_is_away_is_waited_for_once_and_then_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "CONNECT_SECONDS", 0.2)
    ((source, pixels),) = slices(tmp_path, 1)
    pool = RemotePool(tmp_path / "codec.sock", Limits())
    for _ in range(2):
        with pytest.raises(CodecBusy) as fault:
            pool.run("native", source, {"frame": 1})
        assert fault.value.retryable
    with served(tmp_path):
        assert pool.run("native", source, {"frame": 1}).data == pixels


def test_a_service_that_falls_silent_is_busy_after_one_deadline(tmp_path: Path) -> None:
    ((source, _),) = slices(tmp_path, 1)
    with bind(tmp_path / "codec.sock"), pytest.raises(CodecBusy):
        RemotePool(tmp_path / "codec.sock", Limits(deadline_seconds=0.3)).run("native", source, {"frame": 1})


@pytest.mark.parametrize(
    "answer", [b"\xff" * 64, HEAD.pack(FACTS, 2) + b"[]", HEAD.pack(b"N", 2) + b"{}", HEAD.pack(DATA, 1 << 30)]
)
def test_a_service_that_talks_nonsense_is_busy(tmp_path: Path, answer: bytes) -> None:
    ((source, _),) = slices(tmp_path, 1)
    pool = RemotePool(tmp_path / "codec.sock", Limits(deadline_seconds=5.0))
    with bind(tmp_path / "codec.sock") as listener, ThreadPoolExecutor(1) as viewer:
        outcome = viewer.submit(pool.run, "native", source, {"frame": 1})
        for _ in range(2):
            if outcome.done():
                break
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
            if answer[:1] == FACTS:
                break
        assert isinstance(outcome.exception(), CodecBusy)


def test_closing_ends_what_waits(tmp_path: Path) -> None:
    ((source, _),) = slices(tmp_path, 1, at_0="hang")
    with served(tmp_path, deadline_seconds=60.0) as room, ThreadPoolExecutor(1) as viewer:
        pool = room.asking()
        outcome = viewer.submit(pool.run, "native", source, {"frame": 1})
        wait_until(room.pool.pids)
        pool.close()
        assert isinstance(outcome.exception(10), CodecBusy)
        with pytest.raises(CodecBusy):
            pool.run("native", source, {"frame": 1})
        wait_until(lambda: not room.pool.pids())


def test_a_socket_that_is_served_is_not_taken_and_one_left_behind_is(tmp_path: Path) -> None:
    path = tmp_path / "codec.sock"
    with bind(path), pytest.raises(AlreadyRunning):
        bind(path)
    with bind(path):
        assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigurationError):
        bind(tmp_path / "none" / "codec.sock")


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user's name")
def test_another_user_is_turned_away_even_where_the_file_lets_it_in() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder, "codec.sock")
        with bind(path) as listener:
            os.chmod(folder, 0o755)
            path.chmod(0o666)
            os.seteuid(65534)
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(str(path))
            finally:
                os.seteuid(0)
            ours, _ = listener.accept()
            with connection, ours:
                assert not may_ask(ours, owner_of(listener))
                os.chown(path, 65534, 65534)
                assert may_ask(ours, owner_of(listener))
