"""Frames drawn from their data sets: which LUT, window and polarity wins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom import Sequence as Items

from appliance.codec.drawing import drawn
from appliance.codec.frame import ImageFacts
from appliance.codec.misasked import Misasked
from appliance.codec.refusal import Refusal
from appliance.codec.windows import SIGMOID, Window
from tests.builders.images import enhanced, grey, lut, overlaid, ramp

FULL = ramp(0, 255, 16, 16)


def facts_of(dataset: Dataset, **changes: Any) -> ImageFacts:
    told: dict[str, Any] = {
        "rows": dataset.Rows, "columns": dataset.Columns, "samples_per_pixel": dataset.SamplesPerPixel,
        "bits_allocated": dataset.BitsAllocated, "bits_stored": dataset.BitsStored, "high_bit": dataset.HighBit,
        "pixel_representation": dataset.PixelRepresentation, "planar_configuration": 0, "frames": 1,
        "photometric_interpretation": dataset.PhotometricInterpretation,
    }  # fmt: skip
    return ImageFacts(**{**told, **changes})


def picture(dataset: Dataset, pixels: np.ndarray, frame: int = 1, window: Window | None = None) -> np.ndarray:
    return drawn(dataset, frame, pixels, facts_of(dataset), window)


def ends(drawing: np.ndarray) -> tuple[int, int]:
    return int(drawing.flat[0]), int(drawing.flat[-1])


def test_8_bits_without_a_window_are_shown_as_they_are() -> None:
    assert np.array_equal(picture(grey(ramp(50, 99), bits=8), ramp(50, 99)), ramp(50, 99))


def test_more_bits_without_a_window_span_black_to_white() -> None:
    assert ends(picture(grey(ramp(-700, 1500), signed=True), ramp(-700, 1500))) == (0, 255)


def test_the_range_stated_for_all_frames_or_the_series_keeps_their_brightness_alike() -> None:
    dataset = grey(np.stack([ramp(0, 500), ramp(0, 1000)]), NumberOfFrames=2)
    dataset.add_new("SmallestImagePixelValue", "US", 0)
    dataset.add_new("LargestImagePixelValue", "US", 1000)
    facts = facts_of(dataset, frames=2)
    assert ends(drawn(dataset, 1, ramp(0, 500), facts, None)) == (0, 128)
    assert ends(drawn(dataset, 2, ramp(0, 1000), facts, None)) == (0, 255)
    # A single image's own range is that of its pixels; of its series it tells more.
    assert ends(picture(dataset, ramp(0, 500))) == (0, 255)
    dataset.add_new("SmallestPixelValueInSeries", "US", 0)
    dataset.add_new("LargestPixelValueInSeries", "US", 5000)
    assert ends(picture(dataset, ramp(0, 500))) == (0, 25)


def test_a_stated_range_that_the_pixels_exceed_is_not_believed() -> None:
    dataset = grey(ramp(0, 500), RescaleSlope=2, RescaleIntercept=-7)
    dataset.add_new("SmallestPixelValueInSeries", "US", 0)
    dataset.add_new("LargestPixelValueInSeries", "US", 300)
    assert ends(picture(dataset, ramp(0, 500))) == (0, 255)
    assert ends(picture(dataset, ramp(0, 150))) == (0, 128)


def test_padding_is_black_and_does_not_widen_the_range() -> None:
    pixels = ramp(100, 200)
    pixels[0, 0] = -2000
    dataset = grey(pixels, signed=True)
    dataset.add_new("PixelPaddingValue", "US", 65536 - 2000)  # written as the other of US and SS
    drawing = picture(dataset, pixels)
    assert drawing[0, 0] == 0
    assert drawing[0, 1] == 0
    assert drawing[-1, -1] == 255


def test_padding_of_an_inverted_image_is_black_too() -> None:
    pixels = ramp(100, 200)
    pixels[0, :2] = (10, 20)
    dataset = grey(pixels, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=10, PixelPaddingRangeLimit=20)
    drawing = picture(dataset, pixels)
    assert drawing[0, :3].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    "attributes", [{"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}]
)
def test_an_inverse_image_is_inverted_once(attributes: dict[str, Any]) -> None:
    assert ends(picture(grey(FULL, bits=8, **attributes), FULL)) == (255, 0)
    both = grey(FULL, bits=8, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")
    assert ends(picture(both, FULL)) == (255, 0)


def test_the_first_window_of_several_is_applied_to_rescaled_values() -> None:
    dataset = grey(ramp(0, 4095), stored=12, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=[40, 500],
                   WindowWidth=[400, 2000])  # fmt: skip
    pixels = np.array([[0, 864, 1064, 1264, 4095]])
    assert picture(dataset, pixels)[0].tolist() == [0, 0, 128, 255, 255]


def test_a_window_of_no_width_gives_way_to_the_next() -> None:
    dataset = grey(FULL, bits=8, WindowCenter=[10, 127.5], WindowWidth=[0, 255])
    assert ends(picture(dataset, FULL)) == (0, 255)


def test_the_readers_window_goes_before_voi_lut_before_window() -> None:
    dataset = grey(FULL, bits=8, WindowCenter=10, WindowWidth=20)
    dataset.VOILUTSequence = Items([lut([255 - n for n in range(256)])])
    assert ends(picture(dataset, FULL)) == (255, 0)
    assert ends(picture(dataset, FULL, window=Window(127.5, 255))) == (0, 255)


def test_a_broken_voi_lut_gives_way_to_the_window() -> None:
    dataset = grey(FULL, bits=8, WindowCenter=127.5, WindowWidth=255)
    dataset.VOILUTSequence = Items([Dataset()])
    assert ends(picture(dataset, FULL)) == (0, 255)


def test_a_function_of_the_object_is_followed() -> None:
    dataset = grey(FULL, bits=8, WindowCenter=128, WindowWidth=128, VOILUTFunction=SIGMOID)
    drawing = picture(dataset, np.array([[0, 128, 255]]))
    assert drawing[0].tolist() == [round(255 / (1 + np.exp(4))), 128, round(255 / (1 + np.exp(-4 * 127 / 128)))]


def test_a_modality_lut_comes_before_the_window() -> None:
    dataset = grey(np.array([[0, 1, 2]]), WindowCenter=500, WindowWidth=1001)
    dataset.ModalityLUTSequence = Items([lut([0, 1000, 0], bits=10)])
    assert picture(dataset, np.array([[0, 1, 2]]))[0].tolist() == [0, 255, 0]


def test_a_logarithmic_x_ray_is_shown_without_its_modality_lut() -> None:
    pixels = np.array([[0, 1, 2]])
    dataset = grey(pixels, SOPClassUID="1.2.840.10008.5.1.4.1.1.12.1", PixelIntensityRelationship="LOG")
    dataset.ModalityLUTSequence = Items([lut([0, 1000, 0], bits=10)])
    assert picture(dataset, pixels)[0].tolist() == [0, 128, 255]


def test_each_frame_of_an_enhanced_object_has_its_own_window() -> None:
    pixels = np.stack([ramp(0, 2000), ramp(0, 2000)])
    dataset = enhanced(pixels, [(0, 200), (500, 100)], (1, -1024))
    values = np.array([[924, 1024, 1123, 1474, 1524, 1573]])
    assert picture(dataset, values)[0].tolist() == [0, 128, 255, 255, 255, 255]
    assert picture(dataset, values, frame=2)[0].tolist() == [0, 0, 0, 0, 129, 255]


def test_single_bits_are_black_and_white() -> None:
    dataset = grey(np.zeros((1, 2)), bits=8)
    facts = facts_of(dataset, bits_allocated=1, bits_stored=1, high_bit=0)
    assert drawn(dataset, 1, np.array([[0, 1]], np.uint8), facts, None).tolist() == [[0, 255]]
    assert drawn(dataset, 1, np.array([[0, 0]], np.uint8), facts, None).tolist() == [[0, 0]]


def test_a_fractional_segment_is_white_at_its_maximum() -> None:
    dataset = grey(np.zeros((1, 2)), bits=8, SegmentationType="FRACTIONAL", MaximumFractionalValue=100)
    assert picture(dataset, np.array([[50, 100]], np.uint8)).tolist() == [[128, 255]]


def test_floats_span_black_to_white_whatever_is_not_finite() -> None:
    dataset = grey(np.zeros((1, 4)))
    pixels = np.array([[np.nan, -1.5, 0.0, 1.5]], np.float32)
    facts = facts_of(dataset, bits_allocated=32, bits_stored=32, high_bit=31)
    assert drawn(dataset, 1, pixels, facts, None)[0].tolist() == [0, 0, 128, 255]


def test_overlays_are_white_and_the_pixels_beneath_stay_untouched() -> None:
    pixels = ramp(0, 100, 4, 4)
    mask = np.zeros((4, 4), np.bool_)
    mask[1, 2] = True
    drawing = picture(overlaid(grey(pixels, bits=8), mask), pixels)
    assert drawing[1, 2] == 255
    assert drawing[1, 1] == pixels[1, 1]


def test_32_bit_values_keep_their_precision() -> None:
    pixels = ramp(0, 2**31 - 1)
    drawing = picture(grey(pixels, bits=32), pixels.astype(np.uint32))
    assert ends(drawing) == (0, 255)
    assert np.abs(drawing.astype(int) - np.rint(pixels / (2**31 - 1) * 255)).max() <= 1


def test_an_unknown_colour_model_is_refused() -> None:
    dataset = grey(FULL, bits=8, PhotometricInterpretation="HSV")
    with pytest.raises(Refusal):
        picture(dataset, FULL)


def test_a_window_without_width_is_the_readers_fault() -> None:
    with pytest.raises(Misasked):
        picture(grey(FULL, bits=8), FULL, window=Window(1, 0))


def test_values_that_break_their_vr_do_not_spoil_the_picture() -> None:
    dataset = grey(FULL, bits=8)
    dataset.add_new("WindowCenter", "LO", "forty")
    dataset.add_new("WindowWidth", "LO", "four hundred")
    dataset.add_new("RescaleSlope", "LO", "one")
    assert np.array_equal(picture(dataset, FULL), FULL)
