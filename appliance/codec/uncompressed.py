"""Uncompressed frames (PS3.5 8.1, PS3.3 C.7.6.3.1): from the file's bytes to samples, one frame at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.codec.fragments import ReadAt
from appliance.codec.frame import Frame, ImageFacts
from appliance.codec.refusal import NoSuchFrame, Refusal

# Two pixels share their colour: two values a pixel instead of three (PS3.3 C.7.6.3.1.2).
HALVED: Final = {"YBR_FULL_422": "YBR_FULL", "YBR_PARTIAL_422": "YBR_PARTIAL"}
FLOATS: Final = ("FloatPixelData", "DoubleFloatPixelData")


def frame_bits(facts: ImageFacts, length: int) -> int:
    """Return how many bits a frame takes of pixel data that have `length` bytes."""
    pixels = facts.rows * facts.columns
    whole = pixels * facts.samples_per_pixel * facts.bits_allocated
    halved = facts.photometric_interpretation in HALVED and facts.samples_per_pixel == 3
    # Some writers keep the name of the sub-sampled form for full pixels: then their length tells.
    return pixels * 2 * facts.bits_allocated if halved and whole * facts.frames > length * 8 else whole


def uncompressed_frame(
    read_at: ReadAt, position: int, length: int, number: int, facts: ImageFacts, *, keyword: str, order: str, swap: bool
) -> Frame:
    """Return frame `number` (from 1) of pixel data in bytes [position, position + length).

    `order` is "<" or ">"; with `swap` the bytes stand in big-endian words (OW of eight bits or fewer).
    Raises NoSuchFrame, and Refusal where the pixel data are cut short.
    """
    bits = frame_bits(facts, length)
    if number > facts.frames:
        raise NoSuchFrame("the object has fewer frames")
    first = (number - 1) * bits
    start, end = first // 8, -(-(first + bits) // 8)
    if swap:
        start, end = start & ~1, end + (end & 1)
    data = read_at(position + start, min(end, length) - start) if start < length else b""
    if swap:
        data = np.frombuffer(data[: len(data) & ~1], "<u2").byteswap().tobytes() + data[len(data) & ~1 :]
    if len(data) * 8 < first - start * 8 + bits:
        raise Refusal("the pixel data are cut short")
    return _shaped(_samples(data, first - start * 8, bits, facts, keyword, order), bits, facts)


def samples_type(facts: ImageFacts, keyword: str, order: str) -> np.dtype[Any]:
    """Return the dtype of samples as they stand in the file."""
    if facts.bits_allocated not in (8, 16, 32, 64):
        raise Refusal(f"samples of {facts.bits_allocated} bits cannot be read")
    kind = "f" if keyword in FLOATS else "ui"[facts.pixel_representation]
    return np.dtype(f"{order}{kind}{facts.bits_allocated // 8}")


def _samples(data: bytes, skipped: int, bits: int, facts: ImageFacts, keyword: str, order: str) -> NDArray[Any]:
    if facts.bits_allocated == 1:
        loose = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return loose[skipped : skipped + bits]
    stored = samples_type(facts, keyword, order)
    start = skipped // 8
    values = np.frombuffer(data, stored, count=bits // facts.bits_allocated, offset=start)
    return values.astype(stored.newbyteorder("="), copy=False)


def _shaped(samples: NDArray[Any], bits: int, facts: ImageFacts) -> Frame:
    rows, columns, count = facts.rows, facts.columns, facts.samples_per_pixel
    model = facts.photometric_interpretation
    if bits < rows * columns * count * facts.bits_allocated:
        return Frame(_full(samples, rows, columns), replace(facts, photometric_interpretation=HALVED[model]))
    if count == 1:
        return Frame(samples.reshape(rows, columns), facts)
    if facts.planar_configuration == 0:
        return Frame(samples.reshape(rows, columns, count), facts)
    planes = samples.reshape(count, rows, columns).transpose(1, 2, 0)
    return Frame(np.ascontiguousarray(planes), replace(facts, planar_configuration=0))


def _full(samples: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Give every pixel its own colour: Y Y B R becomes Y B R Y B R."""
    if samples.size % 4:
        raise Refusal("pixels that share their colour come in pairs")
    pairs = samples.reshape(-1, 4)
    full = np.empty((pairs.shape[0], 2, 3), samples.dtype)
    full[:, :, 0] = pairs[:, :2]
    full[:, :, 1] = pairs[:, 2:3]
    full[:, :, 2] = pairs[:, 3:4]
    return full.reshape(rows, columns, 3)
