"""Windows: from values of the modality to brightness between 0 and 1 (PS3.3 C.11.2.1.2, C.11.2.1.3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LINEAR: Final = "LINEAR"
LINEAR_EXACT: Final = "LINEAR_EXACT"
SIGMOID: Final = "SIGMOID"


@dataclass(frozen=True, slots=True)
class Window:
    """Center and width in units of the modality, and a VOI LUT Function."""

    center: float
    width: float
    function: str = LINEAR

    @property
    def valid(self) -> bool:
        """Whether this can be applied: PS3.3 asks for a width of at least 1 (linear), above 0 (others)."""
        smallest = 1.0 if self.function == LINEAR else math.ulp(0.0)
        finite = math.isfinite(self.center) and math.isfinite(self.width)
        return finite and self.width >= smallest and self.function in FUNCTIONS

    def apply(self, values: Floats) -> Floats:
        """Return brightness, 0 to 1, of each value; what is no number is 0."""
        shades = np.clip(FUNCTIONS[self.function](values, self.center, self.width), 0.0, 1.0)
        return np.nan_to_num(shades, copy=False, nan=0.0)


def _linear(values: Floats, center: float, width: float) -> Floats:
    if width <= 1.0:
        return (values > center - 0.5).astype(np.float64)
    return (values - (center - 0.5)) / (width - 1.0) + 0.5


def _linear_exact(values: Floats, center: float, width: float) -> Floats:
    return (values - center) / width + 0.5


def _sigmoid(values: Floats, center: float, width: float) -> Floats:
    # Beyond 700 the exponential leaves the range of a float; the result is 0 or 1 long before.
    exponent: Floats = np.clip(-4.0 * (values - center) / width, -700.0, 700.0)
    return 1.0 / (1.0 + np.exp(exponent))


FUNCTIONS: Final[Mapping[str, Callable[[Floats, float, float], Floats]]] = {
    LINEAR: _linear,
    LINEAR_EXACT: _linear_exact,
    SIGMOID: _sigmoid,
}


def extremes(values: NDArray[Any], ignored: NDArray[np.bool_] | None = None) -> tuple[float, float]:
    """Return the smallest and the largest finite value that is not `ignored`; zeros where there is none."""
    counted = np.isfinite(values) if values.dtype.kind == "f" else None
    if ignored is not None:
        counted = ~ignored if counted is None else counted & ~ignored
    seen = values if counted is None else values[counted]
    return (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)


def spanning(low: float, high: float) -> Window:
    """Return the window that draws `low` black and `high` white; black alone where they are the same."""
    if high <= low:
        return Window(low + 0.5, 1.0)
    return Window((low + high) / 2.0, high - low, LINEAR_EXACT)
