"""The streaming PDU reader gives the same fragments however the bytes are sliced."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.scp.pdu import ProtocolError, ProviderReason
from appliance.scp.pdv import PduReader
from tests.partners.raw_scu import pdu, pdv

MAXIMUM = 4096


@dataclass
class Recorder:
    """Joins the fragments of each message part again."""

    parts: list[tuple[int, bool, bytes]] = field(default_factory=list)
    controls: list[tuple[int, bytes]] = field(default_factory=list)
    pending: bytes = b""

    def fragment(self, context_id: int, is_command: bool, is_last: bool, data: memoryview) -> None:
        self.pending += bytes(data)
        if is_last:
            self.parts.append((context_id, is_command, self.pending))
            self.pending = b""

    def control(self, pdu_type: int, body: bytes) -> None:
        self.controls.append((pdu_type, body))


def read(stream: bytes, slices: list[int]) -> Recorder:
    """Feed `stream` in pieces of these sizes (repeated), keeping what is left as a connection does."""
    recorder = Recorder()
    reader = PduReader(recorder, MAXIMUM)
    held, position, turn = b"", 0, 0
    while position < len(stream):
        size = slices[turn % len(slices)]
        turn += 1
        held += stream[position : position + size]
        position += size
        held = held[reader.feed(memoryview(held)) :]
    assert not held
    assert reader.between_pdus
    return recorder


STREAM = b"".join(
    (
        pdu(4, pdv(1, 1, b"com") + pdv(1, 3, b"mand")),
        pdu(4, pdv(1, 0, b"x" * 3000)),
        pdu(4, pdv(1, 0, b"") + pdv(1, 0, b"y") + pdv(1, 2, b"")),
        pdu(4, pdv(3, 3, b"second")),
        pdu(5, bytes(4)),
    )
)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=20))
def test_any_slicing_gives_the_same_messages(slices: list[int]) -> None:
    recorder = read(STREAM, slices)
    assert recorder.parts == [
        (1, True, b"command"),
        (1, False, b"x" * 3000 + b"y"),
        (3, True, b"second"),
    ]
    assert recorder.controls == [(5, bytes(4))]


@given(st.binary(max_size=200))
def test_noise_is_read_or_refused_but_never_anything_else(noise: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        PduReader(Recorder(), MAXIMUM).feed(memoryview(noise))


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (struct.pack(">BxL", 4, MAXIMUM + 1), ProviderReason.INVALID_PARAMETER),
        (struct.pack(">BxL", 4, 0), ProviderReason.INVALID_PARAMETER),
        (struct.pack(">BxL", 4, 5), ProviderReason.INVALID_PARAMETER),
        (pdu(4, struct.pack(">LBB", 1, 1, 3)), ProviderReason.INVALID_PARAMETER),
        (pdu(4, struct.pack(">LBB", 0xFFFFFFFF, 1, 3)), ProviderReason.INVALID_PARAMETER),
        (pdu(4, pdv(1, 3, b"a") + b"abc"), ProviderReason.INVALID_PARAMETER),
        (pdu(5, bytes(5)), ProviderReason.INVALID_PARAMETER),
        (pdu(7, b""), ProviderReason.INVALID_PARAMETER),
        (pdu(1, bytes(68)), ProviderReason.UNEXPECTED_PDU),
        (pdu(2, bytes(68)), ProviderReason.UNEXPECTED_PDU),
        (pdu(6, bytes(4)), ProviderReason.UNEXPECTED_PDU),
        (pdu(0, b""), ProviderReason.UNRECOGNISED_PDU),
        (b"GET / HTTP/1.1\r\n", ProviderReason.UNRECOGNISED_PDU),
    ],
)
def test_what_is_no_pdu_for_us_is_refused_with_its_reason(stream: bytes, reason: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        PduReader(Recorder(), MAXIMUM).feed(memoryview(stream))
    assert caught.value.reason == reason


def test_a_pdu_longer_than_agreed_is_refused_at_its_header() -> None:
    reader = PduReader(Recorder(), MAXIMUM)
    assert reader.feed(memoryview(struct.pack(">BxL", 4, MAXIMUM))) == 6
    with pytest.raises(ProtocolError, match="more than the 4096 agreed"):
        PduReader(Recorder(), MAXIMUM).feed(memoryview(struct.pack(">BxL", 4, 0xFFFFFFFF)))
