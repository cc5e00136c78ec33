"""One decoded frame: stored values, and the facts that tell what they mean."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The Image Pixel Module's numbers (PS3.3 C.7.6.3). `frames` is at least 1."""

    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    photometric_interpretation: str
    planar_configuration: int
    frames: int

    def document(self) -> dict[str, Any]:
        """Return them as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Frame:
    """Stored values, (rows, columns) or (rows, columns, samples), with a dtype in the machine's byte order.

    They are as the object has them, before any LUT, with whatever stands in unused bits, but decoded: colour
    by pixel, at full resolution. `facts` describe these pixels, not the stored bytes:
    after decoding the photometric interpretation or the allocated bits may be other ones. A bitmap
    (one bit allocated) has 0 and 1 in whole bytes and says so with its `bits_allocated` of 1.
    """

    pixels: NDArray[Any]
    facts: ImageFacts

    def native(self) -> bytes:
        """Return the frame in explicit VR little endian, colour by pixel; a bitmap is packed (PS3.5 8.1.1)."""
        if self.facts.bits_allocated == 1:
            return np.packbits(self.pixels.reshape(-1), bitorder="little").tobytes()
        return np.ascontiguousarray(self.pixels).astype(self.pixels.dtype.newbyteorder("<"), copy=False).tobytes()
