"""pydicom's plugins (gdcm, pylibjpeg, pyjpegls, Pillow and its own), one named one at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from appliance.codec.frame import Frame, ImageFacts


def decode(encoded: bytes, facts: ImageFacts, name: str, syntax: str) -> Frame:
    """Return one frame decoded by the plugin `name`, colour left as it is. Raises whatever the plugin raises."""
    options: dict[str, Any] = {
        "rows": facts.rows,
        "columns": facts.columns,
        "samples_per_pixel": facts.samples_per_pixel,
        "bits_allocated": facts.bits_allocated,
        "bits_stored": facts.bits_stored,
        "pixel_representation": facts.pixel_representation,
        "photometric_interpretation": facts.photometric_interpretation,
        "planar_configuration": facts.planar_configuration,
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
    }
    pixels, changed = get_decoder(UID(syntax)).as_array(
        encapsulate([encoded], has_bot=False), index=0, raw=True, decoding_plugin=name, **options
    )
    colour = str(changed["photometric_interpretation"])
    return Frame(
        np.ascontiguousarray(pixels),
        replace(
            facts,
            bits_allocated=pixels.dtype.itemsize * 8,
            # Decoders give every pixel its own colour.
            photometric_interpretation=colour.replace("YBR_FULL_422", "YBR_FULL"),
            planar_configuration=0,
        ),
    )
