"""The lobby's sign of life: it goes on while nobody comes, and ends when the thread hangs."""

from __future__ import annotations

import socket
import threading

import pytest

from appliance.clock import SystemClock
from appliance.scp import lobby
from appliance.scp.listeners import listen
from appliance.scp.lobby import Lobby, LobbyLimits
from appliance.scp.waiting import Waiting
from tests.partners.raw_scu import associate_request
from tests.waiting import wait_until

LIMITS = LobbyLimits(request_timeout=10, tls_timeout=5, max_waiting=8, max_waiting_per_peer=8)
CALLED, VERIFICATION, IMPLICIT = "APPLIANCE", "1.2.840.10008.1.1", "1.2.840.10008.1.2"


def test_it_beats_while_nobody_comes_and_not_while_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobby, "LONGEST_TURN", 0.02)
    beats, hung, released = [0], threading.Event(), threading.Event()

    def beat() -> None:
        beats[0] += 1

    def receive(waiting: Waiting, request: bytes) -> bytes | None:
        hung.set()
        released.wait(30)
        return b""

    listener = listen("127.0.0.1", 0)
    door = Lobby([listener], LIMITS, receive, lambda waiting, reason: None, SystemClock(), beat)
    door.start()
    try:
        wait_until(lambda: beats[0] > 3, 10)
        with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as caller:
            caller.sendall(associate_request("CT1", CALLED, ((VERIFICATION, (IMPLICIT,)),)))
            assert hung.wait(10)
            before = beats[0]
            assert not released.wait(0.2)
            assert beats[0] == before
            released.set()
            wait_until(lambda: beats[0] > before, 10)
    finally:
        released.set()
        door.close()
