"""File Meta Information (group 0002, PS3.10 7.1): written by us for every file, read from others' files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from appliance import __version__

PREAMBLE = bytes(128) + b"DICM"
IMPLEMENTATION_CLASS_UID = "2.25.257836148350134297211526843287204173921"
IMPLEMENTATION_VERSION_NAME = f"EDGE_{__version__}"[:16]
MAXIMUM_META_BYTES = 1 << 20
LONG_FORM = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT"})

GROUP_LENGTH = 0x0000
SOP_CLASS = 0x0002
SOP_INSTANCE = 0x0003
TRANSFER_SYNTAX = 0x0010


class ByteStream(Protocol):
    """Anything bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, b"" at the end."""


class NotPart10(ValueError):
    """The stream is not a DICOM file; the message says why, without a value of the file."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What group 2 says of the data set behind it."""

    sop_class_uid: str
    sop_uid: str
    transfer_syntax_uid: str


def encode(labels: Labels, source_ae: str) -> bytes:
    """Return preamble, prefix and group 2 for a file of ours.

    Text is reduced to what UI and AE may hold, so that a hostile label cannot break the file.
    """
    elements = [
        _element(0x0001, b"OB", b"\x00\x01"),
        _element(SOP_CLASS, b"UI", _uid(labels.sop_class_uid)),
        _element(SOP_INSTANCE, b"UI", _uid(labels.sop_uid)),
        _element(TRANSFER_SYNTAX, b"UI", _uid(labels.transfer_syntax_uid)),
        _element(0x0012, b"UI", _uid(IMPLEMENTATION_CLASS_UID)),
        _element(0x0013, b"SH", _text(IMPLEMENTATION_VERSION_NAME)),
    ]
    if source_ae:
        elements.append(_element(0x0016, b"AE", _text(source_ae[:16])))
    body = b"".join(elements)
    return PREAMBLE + _element(GROUP_LENGTH, b"UL", struct.pack("<L", len(body))) + body


def read_labels(stream: ByteStream) -> tuple[Labels, bytes]:
    """Read preamble and group 2 of a DICOM file; return its labels and the bytes read past them.

    The second value is the start of the data set: elements are read one by one until another
    group begins, because a wrong group length (0002,0000) is common. Raises NotPart10.
    """
    start = _read(stream, len(PREAMBLE))
    if len(start) < len(PREAMBLE) or start[128:] != b"DICM":
        raise NotPart10("not a DICOM file: the prefix DICM is missing at byte 128")
    values: dict[int, bytes] = {}
    rest = b""
    for element, value in _elements(stream):
        if element < 0:
            rest = value
            break
        values[element] = value
    syntax = _decoded(values.get(TRANSFER_SYNTAX, b""))
    if not syntax:
        raise NotPart10("the file does not name its transfer syntax (0002,0010)")
    labels = Labels(_decoded(values.get(SOP_CLASS, b"")), _decoded(values.get(SOP_INSTANCE, b"")), syntax)
    return labels, rest


def _elements(stream: ByteStream) -> Iterator[tuple[int, bytes]]:
    """Yield (element number, value) of group 2, then (-1, first bytes of the data set)."""
    total = 0
    while True:
        head = _read(stream, 8)
        if len(head) < 8 or head[:2] != b"\x02\x00":
            yield -1, head
            return
        element, form, length = struct.unpack("<2xH2sH", head)
        if form in LONG_FORM:
            length = struct.unpack("<L", _read(stream, 4).ljust(4, b"\xff"))[0]
        elif not form.isalpha():  # some writers encode group 2 as implicit VR
            length = struct.unpack_from("<L", head, 4)[0]
        total += length
        if total > MAXIMUM_META_BYTES:
            raise NotPart10("group 2 of the file is longer than 1 MB")
        value = _read(stream, length)
        if len(value) < length:
            raise NotPart10("the file ends within group 2")
        yield element, value


def _read(stream: ByteStream, size: int) -> bytes:
    data = stream.read(size)
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data


def _element(element: int, form: bytes, value: bytes) -> bytes:
    head = struct.pack("<HH2s", 2, element, form)
    if form in LONG_FORM:
        return head + struct.pack("<HL", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def _uid(text: str) -> bytes:
    value = "".join(c for c in text if c in "0123456789.")[:64].encode("ascii")
    return value + b"\x00" * (len(value) % 2)


def _text(text: str) -> bytes:
    value = "".join(c for c in text if " " <= c <= "~" and c != "\\").encode("ascii")
    return value + b" " * (len(value) % 2)


def _decoded(value: bytes) -> str:
    return value.decode("ascii", "replace").strip("\x00 ")
