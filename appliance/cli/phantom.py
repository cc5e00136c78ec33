"""A head-like phantom of ellipses: the pixels of the sample study, without a picture of anybody."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

AIR = 24
SIDE = 256


@dataclass(frozen=True, slots=True)
class Ellipse:
    """One organ. Lengths are fractions of half the picture; `value` is stored pixel value (HU + 1024)."""

    x: float
    y: float
    width: float
    height: float
    value: int


HEAD: tuple[Ellipse, ...] = (
    Ellipse(0.0, 0.0, 0.72, 0.90, 1064),
    Ellipse(0.0, 0.0, 0.69, 0.87, 2024),
    Ellipse(0.0, 0.0, 0.63, 0.81, 1058),
    Ellipse(-0.20, -0.05, 0.12, 0.32, 1030),
    Ellipse(0.20, -0.05, 0.12, 0.32, 1030),
    Ellipse(0.0, 0.38, 0.18, 0.15, 1066),
    Ellipse(-0.08, -0.55, 0.05, 0.05, 1090),
    Ellipse(0.10, -0.62, 0.03, 0.04, 1120),
)


def slice_pixels(height: float, side: int = SIDE) -> bytes:
    """One axial picture, `side` by `side`, 16 bit little endian; `height` is -1 (chin) to 1 (crown)."""
    shrink = math.sqrt(max(0.05, 1 - (0.8 * height) ** 2))
    pixels = array("H", [AIR]) * (side * side)
    for ellipse in HEAD:
        for row, first, last in spans(ellipse, shrink, side):
            pixels[row * side + first : row * side + last] = array("H", [ellipse.value]) * (last - first)
    return little_endian(pixels)


def scout_pixels(wide: bool, side: int = SIDE) -> bytes:
    """A projection picture, from the front (`wide`) or from the side: brighter where more is in the way."""
    breadth = 0.72 if wide else 0.90
    pixels = array("H", [AIR]) * (side * side)
    for row in range(side):
        height = 2 * row / side - 1
        reach = breadth * math.sqrt(max(0.0, 1 - (height / 0.95) ** 2)) * side / 2
        for column in range(math.ceil(side / 2 - reach), math.floor(side / 2 + reach)):
            away = abs(column - side / 2) / reach
            pixels[row * side + column] = 1024 + int(700 * math.sqrt(max(0.0, 1 - away * away)))
    return little_endian(pixels)


def spans(ellipse: Ellipse, shrink: float, side: int) -> Iterator[tuple[int, int, int]]:
    """Row, first column and column after the last, for each row the ellipse touches."""
    half = side / 2
    tall, wide = ellipse.height * shrink * half, ellipse.width * shrink * half
    middle_x, middle_y = half + ellipse.x * shrink * half, half + ellipse.y * shrink * half
    for row in range(max(0, math.ceil(middle_y - tall)), min(side, math.floor(middle_y + tall))):
        reach = wide * math.sqrt(max(0.0, 1 - ((row - middle_y) / tall) ** 2))
        first, last = max(0, round(middle_x - reach)), min(side, round(middle_x + reach))
        if last > first:
            yield row, first, last


def little_endian(pixels: array[int]) -> bytes:
    """The pixels as DICOM writes them, on any machine."""
    if array("H", [1]).tobytes() == b"\x00\x01":
        pixels.byteswap()
    return pixels.tobytes()
