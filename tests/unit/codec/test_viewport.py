"""Viewports: crop, flip and size."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset

from appliance.codec.groups import FrameAttributes
from appliance.codec.misasked import Misasked
from appliance.codec.viewport import Viewport, aspect_of, shown

PICTURE = np.arange(24, dtype=np.uint8).reshape(4, 6)


def test_without_a_wish_the_picture_stays_as_it_is() -> None:
    assert np.array_equal(shown(PICTURE, Viewport()), PICTURE)


def test_the_region_is_cut_out() -> None:
    assert shown(PICTURE, Viewport(0, 0, 1, 2, 2, 2)).tolist() == [[13, 14], [19, 20]]


def test_a_negative_size_flips() -> None:
    assert shown(PICTURE, Viewport(0, 0, 0, 0, -6, 4)).tolist() == PICTURE[:, ::-1].tolist()
    assert shown(PICTURE, Viewport(0, 0, 0, 0, 6, -4)).tolist() == PICTURE[::-1].tolist()


def test_proportions_are_kept_within_the_viewport() -> None:
    assert shown(PICTURE, Viewport(12, 12)).shape == (8, 12)
    assert shown(PICTURE, Viewport(3, 99)).shape == (2, 3)
    assert shown(PICTURE, Viewport(0, 8)).shape == (8, 12)


def test_pixels_that_are_not_square_are_shown_square() -> None:
    assert shown(PICTURE, Viewport(), aspect=2.0).shape == (8, 6)
    assert shown(PICTURE, Viewport(), aspect=0.5).shape == (4, 12)
    assert shown(PICTURE, Viewport(6, 6), aspect=2.0).shape == (6, 4)


def test_a_thin_picture_never_vanishes() -> None:
    assert shown(np.zeros((1, 1000), np.uint8), Viewport(10, 10)).shape == (1, 10)


@pytest.mark.parametrize("viewport", [Viewport(0, 0, 6, 0), Viewport(0, 0, 0, 4), Viewport(0, 0, 5.5, 9, 1, 1)])
def test_a_region_outside_is_refused(viewport: Viewport) -> None:
    with pytest.raises(Misasked):
        shown(PICTURE, viewport)


def test_a_size_out_of_all_proportion_is_refused() -> None:
    with pytest.raises(Misasked):
        shown(PICTURE, Viewport(99_999, 99_999))


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("PixelAspectRatio", [3, 2], 1.5),
        ("PixelSpacing", [0.8, 0.4], 2.0),
        ("PixelSpacing", [0.5, 0.5001], 1.0),
        ("PixelSpacing", [0.0, 1.0], 1.0),
        ("PixelSpacing", [1000.0, 0.001], 1.0),
        ("ImagerPixelSpacing", [1.0, 2.0], 0.5),
    ],
)
def test_the_shape_of_a_pixel_is_told(keyword: str, value: list[float], expected: float) -> None:
    dataset = Dataset()
    setattr(dataset, keyword, value)
    assert aspect_of(FrameAttributes(dataset, 1)) == expected
