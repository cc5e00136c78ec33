"""Stored values: the bits of a sample that are its value, without the bits around them (PS3.5 8.1.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.codec.frame import ImageFacts


def stored_values(samples: NDArray[Any], facts: ImageFacts) -> NDArray[Any]:
    """Return samples with unused bits cleared, or filled with the sign. Floats stay as they are."""
    if samples.dtype.kind not in "iu":
        return samples
    size = samples.dtype.itemsize * 8
    stored = facts.bits_stored or size
    high = facts.high_bit or stored - 1
    if not 0 < stored <= high + 1 <= size or stored == size:
        return samples
    signed = bool(facts.pixel_representation)
    wide = samples.astype(samples.dtype.newbyteorder("="), copy=False).view(
        np.dtype(f"{'i' if signed else 'u'}{samples.dtype.itemsize}")
    )
    return (wide << (size - 1 - high)) >> (size - stored)
