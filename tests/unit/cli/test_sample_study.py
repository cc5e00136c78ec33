"""The sample study: synthetic, whole, the same each time."""

from __future__ import annotations

from appliance.cli.phantom import AIR, SIDE, scout_pixels, slice_pixels
from appliance.cli.sample_study import SCOUTS, SLICES, study
from tests.builders.instances import encode


def test_a_box_always_makes_the_same_bytes_and_boxes_differ() -> None:
    first, again = ([encode(image) for image in study("default/site-1")] for _ in range(2))
    assert first == again
    others = {str(image.SOPInstanceUID) for image in study("default/site-2")}
    assert others.isdisjoint(str(image.SOPInstanceUID) for image in study("default/site-1"))


def test_one_study_of_two_series_of_a_named_sample() -> None:
    images = study("default/site-1")
    assert len(images) == SLICES + SCOUTS == len({image.SOPInstanceUID for image in images})
    assert len({image.StudyInstanceUID for image in images}) == 1
    assert len({image.SeriesInstanceUID for image in images}) == 2
    for image in images:
        assert str(image.PatientName) == "Sample^Patient=示例^患者"
        assert "示例".encode("gb18030") in encode(image)
        assert len(image.PixelData) == image.Rows * image.Columns * 2
        assert all(len(str(uid)) <= 64 for uid in (image.SOPInstanceUID, image.StudyInstanceUID))


def test_the_phantom_has_air_around_and_something_within() -> None:
    for pixels in (slice_pixels(0.0), scout_pixels(True), scout_pixels(False)):
        values = memoryview(pixels).cast("H")
        assert values[0] == AIR
        assert values[SIDE * SIDE // 2 + SIDE // 2] > 1000
        assert max(values) < 4096
