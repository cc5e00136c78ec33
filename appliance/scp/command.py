"""DIMSE command sets, read and written as bytes (PS3.7 section 6.3 and annex E)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from appliance.scp.pdu import PduType, ProtocolError

C_STORE_RQ = 0x0001
C_ECHO_RQ = 0x0030
C_CANCEL_RQ = 0x0FFF
RESPONSE_BIT = 0x8000
NO_DATA_SET = 0x0101

_ELEMENT = struct.Struct("<HHL")
_US = struct.Struct("<H")
_AFFECTED_SOP_CLASS = 0x0002
_REQUESTED_SOP_CLASS = 0x0003
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_DATA_SET_TYPE = 0x0800
_AFFECTED_SOP_INSTANCE = 0x1000
_MAX_COMMENT = 64


@dataclass(frozen=True, slots=True)
class Command:
    """The fields of a command set that decide what happens with the message.

    `message_id` is None where the command carries none (C-CANCEL). UIDs are "" when absent.
    """

    field: int
    message_id: int | None
    has_data_set: bool
    sop_class_uid: str
    sop_instance_uid: str


def read_command(encoded: bytes) -> Command:
    """Read an Implicit VR Little Endian command set.

    Raises ProtocolError when it is no command set or lacks the command field or data set type.
    """
    elements = _elements(encoded)
    field = _number(elements, _COMMAND_FIELD)
    data_set_type = _number(elements, _DATA_SET_TYPE)
    if field is None or data_set_type is None:
        raise ProtocolError("command set without a command field or data set type")
    return Command(
        field=field,
        message_id=_number(elements, _MESSAGE_ID),
        has_data_set=data_set_type != NO_DATA_SET,
        sop_class_uid=_uid(elements, _AFFECTED_SOP_CLASS) or _uid(elements, _REQUESTED_SOP_CLASS),
        sop_instance_uid=_uid(elements, _AFFECTED_SOP_INSTANCE),
    )


def _elements(encoded: bytes) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    position = 0
    while position < len(encoded):
        if len(encoded) - position < _ELEMENT.size:
            raise ProtocolError("truncated command set")
        group, element, length = _ELEMENT.unpack_from(encoded, position)
        position += _ELEMENT.size
        if group != 0 or length > len(encoded) - position:
            raise ProtocolError("malformed command set")
        elements[element] = encoded[position : position + length]
        position += length
    return elements


def _number(elements: dict[int, bytes], element: int) -> int | None:
    value = elements.get(element)
    if value is None or len(value) < _US.size:
        return None
    return int(_US.unpack_from(value)[0])


def _uid(elements: dict[int, bytes], element: int) -> str:
    return elements.get(element, b"").decode("latin-1").strip(" \0")


def encode_response(command: Command, status: int, comment: str = "") -> bytes:
    """The command set that answers `command`, without data set.

    `comment` becomes Error Comment (0000,0902), cut at 64 characters; it must not name a patient.
    """
    body = b"".join(
        (
            _text(_AFFECTED_SOP_CLASS, command.sop_class_uid, "\0"),
            _short(_COMMAND_FIELD, command.field | RESPONSE_BIT),
            _short(0x0120, command.message_id or 0),
            _short(_DATA_SET_TYPE, NO_DATA_SET),
            _short(0x0900, status),
            _text(0x0902, comment[:_MAX_COMMENT], " "),
            _text(_AFFECTED_SOP_INSTANCE, command.sop_instance_uid, "\0"),
        )
    )
    return _ELEMENT.pack(0, 0, 4) + struct.pack("<L", len(body)) + body


def _short(element: int, value: int) -> bytes:
    return _ELEMENT.pack(0, element, 2) + _US.pack(value)


def _text(element: int, value: str, padding: str) -> bytes:
    if not value:
        return b""
    encoded = value.encode("latin-1", "replace")
    encoded += padding.encode() * (len(encoded) % 2)
    return _ELEMENT.pack(0, element, len(encoded)) + encoded


def wrap_command(context_id: int, encoded: bytes, maximum_length: int) -> bytes:
    """The P-DATA-TF PDUs that carry a command set to a peer that takes `maximum_length` (0: any)."""
    room = max(maximum_length - 6, 2) if maximum_length else len(encoded)
    pdus = []
    for start in range(0, len(encoded), room):
        piece = encoded[start : start + room]
        control = 0x03 if start + room >= len(encoded) else 0x01
        head = struct.pack(">BxLLBB", PduType.P_DATA, len(piece) + 6, len(piece) + 2, context_id, control)
        pdus.append(head + piece)
    return b"".join(pdus)
