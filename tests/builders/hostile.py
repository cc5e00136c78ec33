"""Data sets that no honest device sends, each as (name, transfer syntax, bytes)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit

from tests.builders.instances import ct, encode

EXPLICIT = str(ExplicitVRLittleEndian)
DEFLATED = str(DeflatedExplicitVRLittleEndian)
ENCAPSULATED = str(JPEGBaseline8Bit)
Hostile = tuple[str, str, bytes]


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """One explicit little endian element with a 16-bit length."""
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def long_element(tag: int, vr: bytes, length: int) -> bytes:
    """The head of an element with a 32-bit length, whatever follows it."""
    return struct.pack("<HH2sxxL", tag >> 16, tag & 0xFFFF, vr, length)


def nested(depth: int) -> bytes:
    """A private sequence `depth` levels deep, all lengths undefined."""
    head = long_element(0x00091010, b"SQ", 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    tail = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return head * depth + tail * depth


def replaced(keyword: str, value: bytes, **overrides: object) -> bytes:
    """A sound data set with the value of one element replaced by other bytes."""
    original = ct(**overrides)
    old = original[keyword]
    text = str(old.value).encode()
    pad = b"\0" if old.VR == "UI" else b" "
    wanted = element(int(old.tag), old.VR.encode(), text + pad * (len(text) % 2))
    data = encode(original)
    assert data.count(wanted) == 1
    return data.replace(wanted, element(int(old.tag), old.VR.encode(), value + pad * (len(value) % 2)))


def refused() -> Iterator[Hostile]:
    """Yield what must end in quarantine."""
    sound = encode(ct())
    yield "path as study UID", EXPLICIT, replaced("StudyInstanceUID", b"../../../../etc/cron.d/evil")
    yield "absolute path as series UID", EXPLICIT, replaced("SeriesInstanceUID", b"/tmp/evil")
    yield "dots as UID", EXPLICIT, replaced("SOPInstanceUID", b"..")
    yield "NUL inside a UID", EXPLICIT, replaced("StudyInstanceUID", b"1.2\0.3")
    yield "65 characters", EXPLICIT, replaced("SOPInstanceUID", b"1." + b"2" * 63)
    yield "script as UID", EXPLICIT, replaced("StudyInstanceUID", b"<script>alert(1)</script>")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        yield f"no {keyword}", EXPLICIT, encode(ct(**{keyword: None}))
    yield (
        "patient's name twice",
        EXPLICIT,
        replaced("PatientName", b"A^B") + element(0x00100010, b"PN", b"C^D "),
    )
    yield "cut within the pixel data", EXPLICIT, sound[:-100]
    yield "cut within an element's head", EXPLICIT, sound[:3]
    yield (
        "4 GB announced",
        EXPLICIT,
        sound[: sound.index(b"\xe0\x7f\x10\x00")] + long_element(0x7FE00010, b"OW", 0xFFFFFFF0),
    )
    yield (
        "fragments without an end",
        ENCAPSULATED,
        sound[: sound.index(b"\xe0\x7f\x10\x00")]
        + long_element(0x7FE00010, b"OB", 0xFFFFFFFF)
        + struct.pack("<HHL", 0xFFFE, 0xE000, 0),
    )
    yield "sequences 5,000 deep", EXPLICIT, sound + nested(5000)
    yield "not deflated at all", DEFLATED, sound
    yield "empty", EXPLICIT, b""
    yield "noise", EXPLICIT, bytes(range(256)) * 8


def bomb(inflated_bytes: int) -> Hostile:
    """A data set of a few hundred kilobytes that inflates to `inflated_bytes`."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = encode(ct(PixelData=None)) + long_element(0x7FE00010, b"OW", inflated_bytes)
    data = packer.compress(head)
    block = bytes(1 << 20)
    for _ in range(inflated_bytes >> 20):
        data += packer.compress(block)
    return "deflate bomb", DEFLATED, data + packer.flush()


def odd() -> Iterator[Hostile]:
    """Yield what is strange but whole: it must be stored, and be harmless."""
    yield "HTML as name", EXPLICIT, replaced("PatientName", b"<script>alert('x')</script>^<b>")
    yield "SQL as ID", EXPLICIT, replaced("PatientID", b"'; DROP TABLE study; --")
    yield "line breaks in a name", EXPLICIT, replaced("PatientName", b"a\r\nSet-Cookie: b=c\r\n\r\n")
    yield "a name of 60,000 characters", EXPLICIT, replaced("PatientName", b"A" * 60_000)
    yield (
        "an over-long ID in another script",
        EXPLICIT,
        replaced("PatientID", ("病" * 60).encode(), SpecificCharacterSet="ISO_IR 192"),
    )
    yield "wrong VR of a number", EXPLICIT, encode(ct()).replace(b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00SS")
    yield "a number that is none", EXPLICIT, replaced("InstanceNumber", b"one")
