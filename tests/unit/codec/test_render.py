"""The operation "render": which frame, which region, which file."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset

from appliance.codec.frame import Frame
from appliance.codec.refusal import NoSuchFrame
from appliance.codec.render import render
from tests.builders.images import grey, ramp
from tests.builders.papers import pdf, structured_report
from tests.unit.codec.test_drawing import facts_of


class Held:
    """An object as a child has it open: its data set without pixels, and its frames."""

    def __init__(self, dataset: Dataset, *frames: np.ndarray) -> None:
        self._dataset = dataset
        self._frames = frames

    def dataset(self) -> Dataset:
        return self._dataset

    def frame(self, number: int) -> Frame:
        if not 0 < number <= len(self._frames):
            raise NoSuchFrame("the object has no such frame")
        return Frame(self._frames[number - 1], facts_of(self._dataset))


def drawn(held: Held, **arguments: Any) -> tuple[dict[str, Any], np.ndarray]:
    facts, data = render(held, {"media_type": "image/png", **arguments})  # type: ignore[arg-type]
    return dict(facts), np.asarray(Image.open(BytesIO(data)))


def held(*frames: np.ndarray, **overrides: Any) -> Held:
    return Held(grey(np.stack(frames) if len(frames) > 1 else frames[0], bits=8, **overrides), *frames)


def test_a_frame_is_drawn_and_counted() -> None:
    first, second = ramp(0, 200), ramp(55, 255)
    facts, picture = drawn(held(first, second), frame=2)
    assert np.array_equal(picture, second)
    assert facts == {"media_type": "image/png", "frame": 2, "frames": 2, "rows": 32, "columns": 64}


def test_the_frame_that_stands_for_all_is_named_or_in_the_middle() -> None:
    frames = [np.full((2, 2), level) for level in (10, 20, 30, 40)]
    assert drawn(held(*frames), frame=0)[1].max() == 20
    assert drawn(held(*frames, RepresentativeFrameNumber=4), frame=0)[1].max() == 40
    assert drawn(held(*frames, RepresentativeFrameNumber=9), frame=0)[1].max() == 20


def test_a_region_in_fractions_is_cut_before_the_viewport() -> None:
    pixels = np.arange(64).reshape(8, 8)
    _, picture = drawn(held(pixels), region=[0.5, 0, 1, 0.5])
    assert np.array_equal(picture, pixels[:4, 4:])
    assert drawn(held(pixels), region=[0.5, 0, 1, 0.5], viewport=[8, 8])[1].shape == (8, 8)


def test_a_jpeg_is_close_to_the_picture() -> None:
    pixels = ramp(0, 255)
    facts, data = render(held(pixels), {"quality": 95})  # type: ignore[arg-type]
    assert facts["media_type"] == "image/jpeg"
    assert np.abs(np.asarray(Image.open(BytesIO(data))).astype(int) - pixels).max() <= 4


@pytest.mark.parametrize(
    "arguments", [{"viewport": [0, 0, 999, 0, 0, 0]}, {"media_type": "image/gif"}, {"window": [1, 0]}]
)
def test_a_wish_that_does_not_fit_is_told_as_a_fact(arguments: dict[str, Any]) -> None:
    facts, data = render(held(ramp(0, 255)), arguments)  # type: ignore[arg-type]
    assert isinstance(facts["misasked"], str)
    assert data == b""


@pytest.mark.parametrize("dataset", [pdf(), structured_report([])])
def test_an_object_without_pixels_has_an_icon_only_where_one_is_asked_for(dataset: Dataset) -> None:
    _, picture = drawn(Held(dataset), frame=0, icon=True, viewport=[64, 64])
    assert picture.shape == (64, 64)
    assert picture.min() < picture.max()
    with pytest.raises(NoSuchFrame):
        drawn(Held(dataset))
