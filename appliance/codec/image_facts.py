"""Reading the Image Pixel Module (PS3.3 C.7.6.3) of a data set that may lie."""

from __future__ import annotations

from typing import Final

from pydicom import Dataset

from appliance.codec.frame import ImageFacts
from appliance.codec.refusal import Refusal

MOST_FRAMES: Final = 1_000_000
FLOAT_BITS: Final = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
ALLOCATED: Final = (1, 8, 16, 24, 32, 64)


def image_facts(dataset: Dataset, keyword: str) -> ImageFacts:
    """Return the facts of the pixels that stand in the element `keyword`. Raises Refusal."""
    bits = FLOAT_BITS.get(keyword) or _number(dataset, "BitsAllocated", 0)
    stored = FLOAT_BITS.get(keyword) or _number(dataset, "BitsStored", bits)
    facts = ImageFacts(
        rows=_number(dataset, "Rows", 0),
        columns=_number(dataset, "Columns", 0),
        samples_per_pixel=_number(dataset, "SamplesPerPixel", 1),
        bits_allocated=bits,
        bits_stored=stored,
        high_bit=_number(dataset, "HighBit", stored - 1),
        pixel_representation=_number(dataset, "PixelRepresentation", 0),
        photometric_interpretation=_text(dataset, "PhotometricInterpretation") or "MONOCHROME2",
        planar_configuration=_number(dataset, "PlanarConfiguration", 0),
        frames=_frames(dataset),
    )
    _check(facts)
    return facts


def _check(facts: ImageFacts) -> None:
    sound = (
        0 < facts.rows <= 65535
        and 0 < facts.columns <= 65535
        and facts.samples_per_pixel in (1, 2, 3, 4)
        and facts.bits_allocated in ALLOCATED
        and 0 < facts.bits_stored <= facts.bits_allocated
        and facts.pixel_representation in (0, 1)
        and facts.planar_configuration in (0, 1)
    )
    if not sound:
        raise Refusal("the object does not say what its pixels are like, or not in a way that can be")


def _frames(dataset: Dataset) -> int:
    """Return Number of Frames; what is no number counts as one frame, as it does where frames are served stored."""
    try:
        return min(max(_number(dataset, "NumberOfFrames", 1), 1), MOST_FRAMES)
    except Refusal:
        return 1


def _number(dataset: Dataset, keyword: str, absent: int) -> int:
    """Return a whole number, the first where there are several; `absent` for none."""
    try:
        value = dataset.get(keyword)
    except Exception as error:  # boundary: pydicom raises anything for a value that does not fit its VR
        raise Refusal(f"the object's {keyword} cannot be read") from error
    if isinstance(value, (list, tuple)) or (value is not None and not isinstance(value, (int, str, float, bytes))):
        value = value[0] if len(value) else None
    if value is None or value == "":
        return absent
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise Refusal(f"the object's {keyword} is no number") from None


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return value.strip() if isinstance(value, str) else ""
