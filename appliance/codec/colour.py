"""Colour models: from what is stored to red, green and blue of 8 bits (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.codec.refusal import Refusal

Bytes = NDArray[np.uint8]
Matrix = tuple[tuple[float, float, float], ...]

# Rows give red, green and blue from luma and the two chroma differences (ITU-R BT.601).
_FULL: Final[Matrix] = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
_PARTIAL: Final[Matrix] = (
    (255 / 219, 0.0, 1.402 * 255 / 224),
    (255 / 219, -0.344136 * 255 / 224, -0.714136 * 255 / 224),
    (255 / 219, 1.772 * 255 / 224, 0.0),
)
_MODELS: Final[Mapping[str, tuple[Matrix, float]]] = {
    "YBR_FULL": (_FULL, 0.0),
    "YBR_FULL_422": (_FULL, 0.0),
    "YBR_ICT": (_FULL, 0.0),
    "YBR_PARTIAL_422": (_PARTIAL, 16.0),
    "YBR_PARTIAL_420": (_PARTIAL, 16.0),
}
_STRIP: Final = 256


def to_rgb(pixels: NDArray[Any], model: str, bits: int) -> Bytes:
    """Return (rows, columns, 3) in RGB. `pixels` has three samples of `bits` bits in `model`.

    Samples of more than 8 bits lose their lower ones. Raises Refusal for a model that is not known.
    """
    if pixels.ndim != 3 or pixels.shape[2] < 3:
        raise Refusal("A colour image does not have three samples per pixel.")
    samples = _eight_bits(pixels[:, :, :3], bits)
    if model == "RGB":
        return samples
    if model == "YBR_RCT":
        return _reversible(samples)
    if model not in _MODELS:
        raise Refusal("The colour model of the image is not known.")
    result = np.empty(samples.shape, np.uint8)
    for row in range(0, samples.shape[0], _STRIP):  # in strips: the sums are eight times as large
        result[row : row + _STRIP] = _converted(samples[row : row + _STRIP], *_MODELS[model])
    return result


def _eight_bits(samples: NDArray[Any], bits: int) -> Bytes:
    if bits > 8:
        samples = samples >> (bits - 8)
    elif bits < 8:
        samples = samples.astype(np.uint16) * 255 // ((1 << bits) - 1)
    eight: Bytes = np.clip(samples, 0, 255).astype(np.uint8)
    return eight


def _converted(samples: Bytes, matrix: Matrix, black: float) -> Bytes:
    values = samples.astype(np.float64) - (black, 128.0, 128.0)
    converted: Bytes = np.clip(np.rint(values @ np.array(matrix).T), 0, 255).astype(np.uint8)
    return converted


def _reversible(samples: Bytes) -> Bytes:
    # Differences of 8-bit samples need nine bits; stored in eight they are taken around 128.
    luma, blue, red = (samples[:, :, n].astype(np.int32) for n in range(3))
    blue, red = blue - 128, red - 128
    green = luma - ((blue + red) >> 2)
    restored: Bytes = np.clip(np.stack([red + green, green, blue + green], axis=-1), 0, 255).astype(np.uint8)
    return restored
