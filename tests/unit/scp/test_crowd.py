"""The crowd in the lobby: a newcomer is let in, and the right one makes room."""

from __future__ import annotations

import socket

from appliance.scp.crowd import Crowd
from appliance.scp.waiting import Stage, Waiting


def waiting(sock: socket.socket, address: str, deadline: float = 10.0) -> Waiting:
    return Waiting(sock, address, 1, Stage.REQUEST, deadline)


def test_the_oldest_of_the_heaviest_address_leaves_a_full_crowd() -> None:
    with socket.socket() as sock:
        crowd = Crowd(total=3, per_peer=3)
        first, scanner, again = (waiting(sock, address) for address in ("ct", "scan", "scan"))
        assert [crowd.add(each) for each in (first, scanner, again)] == [None, None, None]
        assert crowd.add(waiting(sock, "mr")) is scanner
        assert len(crowd) == 3
        assert crowd.oldest() is first


def test_an_address_over_its_share_pushes_out_its_own_oldest() -> None:
    with socket.socket() as sock:
        crowd = Crowd(total=10, per_peer=1)
        other, first = waiting(sock, "other"), waiting(sock, "scan")
        crowd.add(other)
        crowd.add(first)
        assert crowd.add(waiting(sock, "scan")) is first


def test_deadlines() -> None:
    with socket.socket() as sock:
        crowd = Crowd(10, 10)
        assert crowd.next_deadline() is None
        soon, late = waiting(sock, "a", 5.0), waiting(sock, "b", 9.0)
        crowd.add(late)
        crowd.add(soon)
        assert crowd.next_deadline() == 5.0
        assert crowd.expired(5.0) == [soon]
        crowd.remove(soon)
        crowd.remove(soon)
        assert list(crowd) == [late]
