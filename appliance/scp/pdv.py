"""A streaming reader of PDUs: P-DATA is handed on as it arrives, never collected (PS3.8 annex E)."""

from __future__ import annotations

import struct
from typing import Protocol

from appliance.scp.pdu import HEADER, PduType, ProtocolError, ProviderReason

_PDV = struct.Struct(">LBB")
_COMMAND = 0x01
_LAST = 0x02

# Body length of every other PDU that a requestor may send once an association stands.
_CONTROL_PDUS = {PduType.RELEASE_RQ: 4, PduType.ABORT: 4}
_KNOWN_PDUS = range(PduType.ASSOCIATE_RQ, PduType.ABORT + 1)


class PduSink(Protocol):
    """Where the reader's findings go."""

    def fragment(self, context_id: int, is_command: bool, is_last: bool, data: memoryview) -> None:
        """A piece of one message. `data` is valid during the call only and may be empty;
        `is_last` comes with the very last piece of a command set or data set."""

    def control(self, pdu_type: int, body: bytes) -> None:
        """A whole A-RELEASE-RQ or A-ABORT PDU."""


class PduReader:
    """Takes bytes in any slicing, gives fragments in order; keeps nothing but a few numbers.

    A PDU longer than `maximum_length` (what we advertised) is refused at its header.
    """

    def __init__(self, sink: PduSink, maximum_length: int) -> None:
        self._sink = sink
        self._maximum_length = maximum_length
        self._pdu_left = 0
        self._pdv_left = 0
        self._context_id = 0
        self._control = 0

    def feed(self, view: memoryview) -> int:
        """Read what `view` holds and return how many bytes of it were used.

        The rest, at most nine bytes, is the start of a header: the caller keeps it and puts it before
        what arrives next. Raises ProtocolError for anything that is not a PDU we may get here.
        """
        position = 0
        end = len(view)
        while position < end:
            if self._pdv_left:
                position += self._pass_on(view[position : position + self._pdv_left])
                continue
            used = self._header(view, position, end)
            if not used:
                break
            position += used
        return position

    @property
    def between_pdus(self) -> bool:
        """Whether everything fed so far ended with a whole PDU."""
        return not self._pdu_left

    def _header(self, view: memoryview, position: int, end: int) -> int:
        """Read one PDU or PDV header; 0 when it is not there as a whole."""
        if self._pdu_left:
            return self._pdv_header(view, position) if end - position >= _PDV.size else 0
        if end - position < HEADER.size:
            return 0
        pdu_type, length = HEADER.unpack_from(view, position)
        if pdu_type != PduType.P_DATA:
            return self._control_pdu(pdu_type, length, view[position + HEADER.size :])
        if length > self._maximum_length:
            raise ProtocolError(f"P-DATA-TF of {length} bytes, more than the {self._maximum_length} agreed")
        if length < _PDV.size:
            raise ProtocolError("P-DATA-TF without a presentation data value")
        self._pdu_left = length
        return HEADER.size

    def _control_pdu(self, pdu_type: int, length: int, body: memoryview) -> int:
        if pdu_type not in _KNOWN_PDUS:
            raise ProtocolError(f"unknown PDU type 0x{pdu_type:02X}", ProviderReason.UNRECOGNISED_PDU)
        expected = _CONTROL_PDUS.get(pdu_type)
        if expected is None:
            raise ProtocolError(f"unexpected PDU type 0x{pdu_type:02X}", ProviderReason.UNEXPECTED_PDU)
        if length != expected:
            raise ProtocolError(f"PDU type 0x{pdu_type:02X} of {length} bytes")
        if len(body) < length:
            return 0
        self._sink.control(pdu_type, bytes(body[:length]))
        return HEADER.size + length

    def _pdv_header(self, view: memoryview, position: int) -> int:
        length, self._context_id, self._control = _PDV.unpack_from(view, position)
        # The length counts the context ID and the control byte.
        if length < 2 or length + 4 > self._pdu_left:
            raise ProtocolError("presentation data value does not fit its PDU")
        self._pdv_left = length - 2
        self._pdu_left -= _PDV.size
        if 0 < self._pdu_left - self._pdv_left < _PDV.size:
            raise ProtocolError("left-over bytes at the end of a PDU")
        if not self._pdv_left:
            self._pass_on(view[:0])
        return _PDV.size

    def _pass_on(self, piece: memoryview) -> int:
        used = len(piece)
        self._pdv_left -= used
        self._pdu_left -= used
        control = self._control
        is_last = bool(control & _LAST) and not self._pdv_left
        self._sink.fragment(self._context_id, bool(control & _COMMAND), is_last, piece)
        return used
