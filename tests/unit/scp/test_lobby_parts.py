"""The crowd in the lobby, the slots, the numbers, the pace: small parts with one rule each."""

from __future__ import annotations

import socket

from appliance.model.records import Result
from appliance.scp.crowd import Crowd
from appliance.scp.progress import Progress
from appliance.scp.slots import Slots
from appliance.scp.tally import Tally
from appliance.scp.trace import new_traceparent
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


def test_slots_are_counted_in_all_and_per_address() -> None:
    slots = Slots(total=3, per_peer=2)
    assert [slots.take("a"), slots.take("a"), slots.take("a")] == [True, True, False]
    assert [slots.take("b"), slots.take("c")] == [True, False]
    slots.give_back("a")
    assert slots.taken == 2
    assert slots.take("c")


def test_the_tally_counts_what_it_is_told() -> None:
    tally = Tally()
    tally.opened()
    tally.opened()
    tally.closed()
    tally.rejected("unknown calling AE title")
    tally.stored(Result.STORED, 100, 7)
    tally.stored(Result.DUPLICATE, 50, 9)
    tally.refused("disk_full")
    assert tally.snapshot() == {
        "associations": {"open": 1, "total": 2, "rejected": {"unknown calling AE title": 1}},
        "stored": {"stored": 1, "duplicate": 1, "restored": 0, "conflict": 0},
        "refused": {"disk_full": 1},
        "bytes": 150,
        "last_store": 9,
    }


def test_only_a_trickle_inside_a_message_is_too_slow() -> None:
    progress = Progress(window=10.0, now=0.0)
    assert not progress.too_slow(False, 0, 100.0)
    assert not progress.too_slow(True, 1, 105.0)
    assert progress.too_slow(True, 1, 110.0)
    assert not progress.too_slow(True, 640, 120.0)
    assert not progress.too_slow(True, 0, 129.0)
    assert progress.too_slow(True, 0, 130.0)


def test_a_traceparent_has_the_form_of_the_recommendation() -> None:
    version, trace, span, flags = new_traceparent().split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert new_traceparent() != new_traceparent()
