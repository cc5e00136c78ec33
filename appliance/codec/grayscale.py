"""The grey pipeline (PS3.4 N.2): stored values, modality LUT, VOI LUT, presentation LUT, 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.codec.luts import Table
from appliance.codec.windows import Floats, Window, extremes, spanning

Shader = Callable[[NDArray[Any]], Floats]

WIDEST_TABLE: Final = 1 << 16
_STRIP: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How stored values become grey. Absent steps (None) leave values as they are.

    `modality` and `voi` give way to a table or a formula each; without `voi` the values span black
    to white: those of `whole`, a range of the modality, or of `stated`, a range of stored values that
    is believed as long as the pixels are within it, or else of the pixels. `padding` is an inclusive
    range of stored values that is drawn black.
    """

    modality: Table | Callable[[NDArray[Any]], Floats] | None = None
    voi: Table | Window | None = None
    whole: tuple[float, float] | None = None
    stated: tuple[float, float] | None = None
    inverted: bool = False
    padding: tuple[float, float] | None = None

    def draw(self, stored: NDArray[Any]) -> NDArray[np.uint8]:
        """Return grey values of 8 bits for stored values of any number type."""
        padded = _between(stored, self.padding)
        shader = self._shader(stored, padded)
        grey = _by_table(stored, shader)
        if grey is None:
            grey = _in_strips(stored, shader)
        if padded is not None:
            grey[padded] = 0
        return grey

    def _of_modality(self, stored: NDArray[Any]) -> Floats:
        if self.modality is None:
            return np.asarray(stored, np.float64)
        if isinstance(self.modality, Table):
            return self.modality.apply(stored).astype(np.float64)
        return self.modality(stored)

    def _shader(self, stored: NDArray[Any], padded: NDArray[np.bool_] | None) -> Shader:
        voi = self.voi or self._widest(stored, padded)

        def shade(values: NDArray[Any]) -> Floats:
            seen = self._of_modality(values)
            shades = voi.apply(np.nan_to_num(seen)) / float(voi.top) if isinstance(voi, Table) else voi.apply(seen)
            return 1.0 - shades if self.inverted else shades

        return shade

    def _widest(self, stored: NDArray[Any], padded: NDArray[np.bool_] | None) -> Window:
        if self.whole is not None:
            return spanning(*self.whole)
        if isinstance(self.modality, Table):
            return spanning(*extremes(self.modality.apply(stored), padded))
        # A formula of the first degree: its extremes are those of the stored values.
        low, high = extremes(stored, padded)
        if self.stated is not None and self.stated[0] <= low <= high <= self.stated[1]:
            low, high = self.stated
        ends = self._of_modality(np.array((low, high)))
        return spanning(float(ends.min()), float(ends.max()))


def _between(stored: NDArray[Any], limits: tuple[float, float] | None) -> NDArray[np.bool_] | None:
    if limits is None:
        return None
    low, high = limits
    padded: NDArray[np.bool_] = (stored >= low) & (stored <= high)
    return padded if padded.any() and not padded.all() else None


def _eight_bits(shades: Floats) -> NDArray[np.uint8]:
    return np.rint(shades * 255.0).astype(np.uint8)


def _by_table(stored: NDArray[Any], shader: Shader) -> NDArray[np.uint8] | None:
    """Shade each possible value once, where that is less work than shading each pixel."""
    if stored.dtype.kind not in "iu" or stored.size == 0:
        return None
    low, high = int(stored.min()), int(stored.max())
    if high - low >= min(WIDEST_TABLE, max(stored.size, 256)):
        return None
    table = _eight_bits(shader(np.arange(low, high + 1, dtype=np.int64)))
    places = stored.astype(np.int64 if stored.dtype.itemsize > 2 else np.int32) - low
    grey: NDArray[np.uint8] = table[places]
    return grey


def _in_strips(stored: NDArray[Any], shader: Shader) -> NDArray[np.uint8]:
    grey = np.empty(stored.shape, np.uint8)
    flat, result = stored.reshape(-1), grey.reshape(-1)
    for start in range(0, flat.size, _STRIP):
        result[start : start + _STRIP] = _eight_bits(shader(flat[start : start + _STRIP]))
    return grey
