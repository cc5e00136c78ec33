"""Colour models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.pixels.processing import convert_color_space

from appliance.codec.colour import to_rgb
from appliance.codec.refusal import Refusal
from tests.builders.images import colours


@pytest.mark.parametrize("model", ["YBR_FULL", "YBR_FULL_422", "YBR_ICT"])
def test_full_range_chroma_is_within_one_level_of_pydicoms(model: str) -> None:
    stored = colours()
    expected = convert_color_space(stored, "YBR_FULL", "RGB").astype(int)
    assert np.abs(to_rgb(stored, model, 8).astype(int) - expected).max() <= 1


def test_partial_range_reaches_black_and_white() -> None:
    pixels = np.array([[[16, 128, 128], [235, 128, 128], [0, 128, 128]]], np.uint8)
    assert to_rgb(pixels, "YBR_PARTIAL_420", 8).tolist() == [[[0, 0, 0], [255, 255, 255], [0, 0, 0]]]


def test_the_reversible_transform_is_undone() -> None:
    red, green, blue = 100, 120, 140
    luma = (red + 2 * green + blue) // 4
    pixels = np.array([[[luma, blue - green + 128, red - green + 128]]], np.uint8)
    assert to_rgb(pixels, "YBR_RCT", 8).tolist() == [[[red, green, blue]]]


@pytest.mark.parametrize(("bits", "dtype"), [(16, np.uint16), (32, np.uint32)])
def test_deeper_samples_lose_their_lower_bits(bits: int, dtype: type) -> None:
    pixels: NDArray[Any] = np.array([[[0, 1 << (bits - 1), (1 << bits) - 1]]], dtype)
    assert to_rgb(pixels, "RGB", bits).tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize(("pixels", "model"), [(np.zeros((2, 2)), "RGB"), (np.zeros((2, 2, 3), np.uint8), "CMYK")])
def test_what_is_no_known_colour_is_refused(pixels: NDArray[Any], model: str) -> None:
    with pytest.raises(Refusal):
        to_rgb(pixels, model, 8)


def test_a_fourth_sample_is_left_out() -> None:
    assert to_rgb(np.full((1, 1, 4), 9, np.uint8), "RGB", 8).shape == (1, 1, 3)
