"""Viewports: which part of a picture is shown, how large, which way round (PS3.18 8.3.5.1.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from appliance.codec.groups import FrameAttributes, numbers
from appliance.codec.misasked import Misasked

Picture = NDArray[np.uint8]

LARGEST_EDGE: Final = 16384
MOST_PIXELS: Final = 64 << 20
# A difference below this is a rounded number, not a shape.
_SQUARE: Final = 0.01
_UTMOST: Final = 16.0
_SPACINGS: Final = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


@dataclass(frozen=True, slots=True)
class Viewport:
    """The size to fit into, in pixels (0: as large as the source), and a region of the source image.

    `left` and `top` may be fractions of a pixel. A `width` or `height` of 0 reaches to the edge; a
    negative one flips.
    """

    across: int = 0
    down: int = 0
    left: float = 0.0
    top: float = 0.0
    width: float = 0.0
    height: float = 0.0


def shown(picture: Picture, viewport: Viewport, aspect: float = 1.0) -> Picture:
    """Return what the viewport shows of a picture whose pixels are `aspect` times as high as wide.

    The proportions are kept: one edge of the result may be smaller than the viewport. Raises Misasked for
    a region outside the picture and for sizes out of proportion.
    """
    part = _flipped(_region(picture, viewport), viewport)
    rows, columns = part.shape[:2]
    across, down = _target(columns, rows, viewport, aspect)
    if across > LARGEST_EDGE or down > LARGEST_EDGE or across * down > MOST_PIXELS:
        raise Misasked("The picture asked for is too large.")
    if (across, down) == (columns, rows):
        return part
    resized = Image.fromarray(np.ascontiguousarray(part)).resize((across, down), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def _region(picture: Picture, viewport: Viewport) -> Picture:
    rows, columns = picture.shape[:2]
    left, right = _limits(viewport.left, viewport.width, columns)
    top, bottom = _limits(viewport.top, viewport.height, rows)
    return picture[top:bottom, left:right]


def _limits(start: float, length: float, edge: int) -> tuple[int, int]:
    end = start + abs(length) if length else float(edge)
    first, last = max(0, int(start)), min(edge, int(np.ceil(end)))
    if not 0 <= start < edge or first >= last:
        raise Misasked("The region asked for lies outside the image.")
    return first, last


def _flipped(picture: Picture, viewport: Viewport) -> Picture:
    if viewport.width < 0:
        picture = picture[:, ::-1]
    return picture[::-1] if viewport.height < 0 else picture


def _target(columns: int, rows: int, viewport: Viewport, aspect: float) -> tuple[int, int]:
    """Return width and height of the result: square pixels, within the viewport."""
    wide, high = columns / min(aspect, 1.0), rows * max(aspect, 1.0)
    if not (viewport.across or viewport.down):
        return round(wide), round(high)
    scale = min(size / edge for size, edge in ((viewport.across, wide), (viewport.down, high)) if size)
    return max(1, round(wide * scale)), max(1, round(high * scale))


def aspect_of(attributes: FrameAttributes) -> float:
    """Return how many times as high as wide a pixel is (PS3.3 C.7.6.3.1.7, 10.7.1.3); 1 where nothing says."""
    ratios = [_ratio(numbers(attributes.dataset, "PixelAspectRatio"))]
    places: list[Dataset] = [attributes.item("PixelMeasuresSequence", "PixelSpacing"), attributes.dataset]
    ratios += [_ratio(numbers(place, keyword)) for keyword in _SPACINGS for place in places]
    return next((ratio for ratio in ratios if ratio), 1.0)


def _ratio(pair: list[Any]) -> float:
    """Return vertical over horizontal; 0 where the numbers do not tell, or tell what cannot be."""
    if len(pair) < 2 or pair[0] <= 0 or pair[1] <= 0:
        return 0.0
    ratio = float(pair[0] / pair[1])
    if not 1 / _UTMOST <= ratio <= _UTMOST:
        return 0.0
    return 1.0 if abs(ratio - 1.0) < _SQUARE else ratio
