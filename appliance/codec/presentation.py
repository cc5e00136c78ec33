"""How a grey frame wants to be shown: LUTs, windows and polarity its data set asks for, or the reader."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pydicom import Dataset

from appliance.codec.frame import ImageFacts
from appliance.codec.grayscale import Pipeline
from appliance.codec.groups import FrameAttributes, first_item, number, numbers, text, value
from appliance.codec.luts import Table, rescaled, table_of
from appliance.codec.misasked import Misasked
from appliance.codec.refusal import Refusal
from appliance.codec.windows import LINEAR, Window

# Their modality LUT leads back to the detector's linear values, not to what is looked at (PS3.3 C.8.7.1.1.2).
_XRAY: Final = ("1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2")
_LOGARITHMIC: Final = ("LOG", "DISP")
_FULL_RANGE_BITS: Final = 8


def pipeline(attributes: FrameAttributes, facts: ImageFacts, wanted: Window | None = None) -> Pipeline:
    """Return the grey pipeline of one frame. `facts` are those of its decoded pixels.

    The window `wanted` by a reader goes before the VOI LUT Sequence, this before the first window, and without
    any of them the whole range is shown: the one the object states for its series or for all its frames, so that
    brightness does not jump from one to the next; that of the type for 8 bits and fewer; or that of the pixels.
    """
    dataset = attributes.dataset
    modality = modality_of(attributes, facts)
    signed = _is_signed(modality, facts)
    voi = _given(wanted) or voi_of(attributes, signed=signed)
    inverted = facts.photometric_interpretation == "MONOCHROME1" or text(dataset, "PresentationLUTShape") == "INVERSE"
    whole = _whole(dataset, facts, modality)
    stated = None if isinstance(modality, Table) or whole is not None else _stated(dataset, facts)
    return Pipeline(modality, voi, whole, stated, inverted, padding_of(dataset, facts))


def modality_of(attributes: FrameAttributes, facts: ImageFacts) -> Table | Callable[[Any], Any] | None:
    """Return the modality LUT (PS3.3 C.11.1) or pixel value transformation (C.7.6.16.2.9), None for none."""
    dataset = attributes.dataset
    item = first_item(dataset, "ModalityLUTSequence")
    if item is not None and not _is_logarithmic(dataset):
        table = lut(item, signed=bool(facts.pixel_representation))
        if table is not None:
            return table
    place = attributes.item("PixelValueTransformationSequence", "RescaleSlope")
    slope, intercept = number(place, "RescaleSlope"), number(place, "RescaleIntercept")
    if not slope or (slope, intercept or 0.0) == (1.0, 0.0):
        return None
    return partial(rescaled, slope=slope, intercept=intercept or 0.0)


def voi_of(attributes: FrameAttributes, *, signed: bool) -> Table | Window | None:
    """Return the first VOI LUT, or else the first window, that can be applied."""
    item = first_item(attributes.item("FrameVOILUTSequence", "VOILUTSequence"), "VOILUTSequence")
    table = lut(item, signed=signed) if item is not None else None
    if table is not None:
        return table
    place = attributes.item("FrameVOILUTSequence", "WindowCenter")
    centers, widths = numbers(place, "WindowCenter"), numbers(place, "WindowWidth")
    function = text(place, "VOILUTFunction") or LINEAR
    windows = [Window(*pair, function) for pair in zip(centers, widths, strict=False)]
    return next((window for window in windows if window.valid), None)


def lut(item: Dataset, *, signed: bool) -> Table | None:
    """Return the table of a LUT item, None where it is broken: the image is then shown without it."""
    descriptor, data = value(item, "LUTDescriptor"), value(item, "LUTData")
    if descriptor is None or data is None or isinstance(descriptor, int | str | bytes):
        return None
    try:
        return table_of(descriptor, data, signed=signed)
    except (Refusal, TypeError, ValueError):
        return None


def padding_of(dataset: Dataset, facts: ImageFacts) -> tuple[float, float] | None:
    """Return the inclusive range of stored values that pad the image (PS3.3 C.7.5.1.1.2), None for none."""
    first = number(dataset, "PixelPaddingValue")
    if first is None:
        return None
    limit = number(dataset, "PixelPaddingRangeLimit")
    ends = [_as_stored(end, facts) for end in (first, first if limit is None else limit)]
    return min(ends), max(ends)


def _as_stored(end: float, facts: ImageFacts) -> float:
    # The padding value may have been written in the other of US and SS.
    span = float(1 << facts.bits_allocated)
    if facts.pixel_representation:
        return end - span if end >= span / 2 else end
    return end + span if end < 0 else end


def _given(window: Window | None) -> Window | None:
    if window is not None and not window.valid:
        raise Misasked("The window asked for has no valid width.")
    return window


def _is_logarithmic(dataset: Dataset) -> bool:
    return text(dataset, "SOPClassUID") in _XRAY and text(dataset, "PixelIntensityRelationship") in _LOGARITHMIC


def _is_signed(modality: Table | Callable[[Any], Any] | None, facts: ImageFacts) -> bool:
    """Say whether what goes into the VOI LUT may be negative."""
    if isinstance(modality, Table):
        return False
    rescales = isinstance(modality, partial) and min(modality.keywords.values()) < 0
    return rescales or bool(facts.pixel_representation)


def _stated(dataset: Dataset, facts: ImageFacts) -> tuple[float, float] | None:
    """Return the stored values between which the object says its series, or all its frames, lie."""
    pairs = [("SmallestPixelValueInSeries", "LargestPixelValueInSeries")]
    if facts.frames > 1:
        pairs.append(("SmallestImagePixelValue", "LargestImagePixelValue"))
    for smallest, largest in pairs:
        low, high = number(dataset, smallest), number(dataset, largest)
        if low is not None and high is not None and _as_stored(low, facts) < _as_stored(high, facts):
            return _as_stored(low, facts), _as_stored(high, facts)
    return None


def _whole(
    dataset: Dataset, facts: ImageFacts, modality: Table | Callable[[Any], Any] | None
) -> tuple[float, float] | None:
    if modality is not None:
        return None
    if text(dataset, "SegmentationType") == "FRACTIONAL":
        return 0.0, number(dataset, "MaximumFractionalValue") or 255.0
    bits = facts.bits_stored
    if bits > _FULL_RANGE_BITS:
        return None
    low = -(1 << (bits - 1)) if facts.pixel_representation else 0
    return float(low), float(low + (1 << bits) - 1)
