"""One frame drawn: decoded samples and their data set in, a picture of 8 bits out."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from appliance.codec.colour import to_rgb
from appliance.codec.frame import ImageFacts
from appliance.codec.groups import FrameAttributes
from appliance.codec.overlays import overlay_mask
from appliance.codec.palette import palette_of
from appliance.codec.presentation import pipeline
from appliance.codec.refusal import Refusal
from appliance.codec.stored import stored_values
from appliance.codec.viewport import Picture
from appliance.codec.windows import Window

GREY: Final = ("MONOCHROME1", "MONOCHROME2")
PALETTE: Final = "PALETTE COLOR"
WHITE: Final = 255


def drawn(dataset: Dataset, frame: int, samples: NDArray[Any], facts: ImageFacts, wanted: Window | None) -> Picture:
    """Return frame `frame` (counted from 1) as (rows, columns) grey or (rows, columns, 3) colour.

    `samples` are its decoded pixels, as `facts` describe them. Overlays are drawn white. Raises Refusal.
    """
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[:, :, 0]
    picture = _picture(dataset, frame, samples, facts, wanted)
    mask = overlay_mask(dataset, (picture.shape[0], picture.shape[1]), frame, samples)
    if mask is not None:
        picture = np.array(picture)
        picture[mask] = WHITE
    return picture


def _picture(dataset: Dataset, frame: int, samples: NDArray[Any], facts: ImageFacts, wanted: Window | None) -> Picture:
    model = facts.photometric_interpretation
    if samples.ndim == 3:
        return to_rgb(samples, model, facts.bits_stored)
    stored = stored_values(samples, facts)
    if model == PALETTE:
        return palette_of(dataset, signed=bool(facts.pixel_representation)).apply(stored)
    if model not in GREY:
        raise Refusal("The colour model of the image is not known.")
    return pipeline(FrameAttributes(dataset, frame), facts, wanted).draw(stored)
