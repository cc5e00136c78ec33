"""A connection that waits: its request is read as it comes, and bounded."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from appliance.scp.pdu import MAX_ASSOCIATE_RQ, ProtocolError, ProviderReason
from appliance.scp.waiting import Gone, Stage, Waiting
from tests.partners.raw_scu import associate_request

REQUEST = associate_request("A", "B", (("1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),))


@pytest.fixture
def pair() -> Iterator[tuple[Waiting, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield Waiting(ours, "127.0.0.1", 1, Stage.REQUEST, 10.0), theirs


def test_a_request_in_pieces_is_read_whole(pair: tuple[Waiting, socket.socket]) -> None:
    waiting, peer = pair
    for byte in REQUEST[:-1]:
        peer.sendall(bytes((byte,)))
        assert waiting.advance() is None
    peer.sendall(REQUEST[-1:])
    assert waiting.advance() == REQUEST


def test_what_comes_behind_the_request_is_kept(pair: tuple[Waiting, socket.socket]) -> None:
    waiting, peer = pair
    peer.sendall(REQUEST + b"more")
    assert waiting.advance() == REQUEST
    assert bytes(waiting.received) == b"more"


def test_a_request_over_the_limit_is_refused_at_its_header(pair: tuple[Waiting, socket.socket]) -> None:
    waiting, peer = pair
    peer.sendall(struct.pack(">BxL", 1, MAX_ASSOCIATE_RQ))
    with pytest.raises(ProtocolError, match="too long"):
        waiting.advance()


def test_another_first_byte_is_refused_at_once(pair: tuple[Waiting, socket.socket]) -> None:
    waiting, peer = pair
    peer.sendall(b"G")
    with pytest.raises(ProtocolError) as caught:
        waiting.advance()
    assert caught.value.reason == ProviderReason.UNEXPECTED_PDU


def test_a_peer_that_closes_is_gone(pair: tuple[Waiting, socket.socket]) -> None:
    waiting, peer = pair
    peer.sendall(REQUEST[:20])
    peer.close()
    with pytest.raises(Gone):
        waiting.advance()


def test_after_the_last_words_only_the_end_is_awaited(pair: tuple[Waiting, socket.socket]) -> None:
    waiting, peer = pair
    waiting.say_goodbye(b"bye", 20.0)
    assert (waiting.stage, waiting.deadline) == (Stage.FAREWELL, 20.0)
    assert peer.recv(10) == b"bye"
    peer.sendall(b"but")
    assert waiting.advance() is None
    peer.close()
    with pytest.raises(Gone):
        waiting.advance()
