"""What the fallback viewer starts from: stacks in reading order, and what came with them."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.archive.search import Found
from appliance.web.kinds import Kind, kind_of
from appliance.web.viewing import ATTRIBUTES, reading_order, stacks

AXIAL = "1\\0\\0\\0\\1\\0"
CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.11"


def instance(number: int, **more: Any) -> Found:
    own = {"SOPInstanceUID": f"1.{number}", "InstanceNumber": number, "SeriesInstanceUID": "1.2", "SOPClassUID": CT}
    return {**dict.fromkeys(ATTRIBUTES), **own, "Rows": 4, "Columns": 4, **more}


def at(number: int, height: float | None, across: str = AXIAL) -> Found:
    place = None if height is None else f"0\\0\\{height}"
    return instance(number, ImagePositionPatient=place, ImageOrientationPatient=across)


def numbers(pictures: list[Found]) -> list[Any]:
    return [picture["InstanceNumber"] for picture in pictures]


def test_slices_are_read_along_their_normal_from_the_end_the_device_began_at() -> None:
    assert numbers(reading_order([at(1, 0), at(2, 10), at(3, 5)])) == [1, 3, 2]
    assert numbers(reading_order([at(1, 10), at(2, 5), at(3, -5)])) == [1, 2, 3]


@pytest.mark.parametrize("odd", [at(3, 0), at(3, None), at(3, 9, "0\\1\\0\\0\\0\\-1"), instance(3)])
def test_what_is_no_row_of_parallel_slices_stays_as_it_came(odd: Found) -> None:
    assert numbers(reading_order([at(1, 5), at(2, 0), odd])) == [1, 2, 3]


@pytest.mark.parametrize(
    ("sop_class", "rows", "kind"),
    [
        (CT, 4, Kind.IMAGE),
        (CT, None, Kind.OTHER),
        (SR, None, Kind.REPORT),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", None, Kind.WAVEFORM),
        ("1.2.840.10008.5.1.4.1.1.104.1", None, Kind.PDF),
        ("1.2.840.10008.5.1.4.1.1.11.1", None, Kind.OTHER),
        ("1.3.6.1.4.1.5962.301.9", 4, Kind.IMAGE),
    ],
)
def test_the_sop_class_tells_how_something_is_shown(sop_class: str, rows: int | None, kind: Kind) -> None:
    assert kind_of({"SOPClassUID": sop_class, "Rows": rows}) is kind


def test_pictures_of_a_series_are_one_stack_and_documents_stand_alone() -> None:
    found = stacks([
        instance(1, NumberOfFrames=3), instance(2), instance(3, SOPClassUID=SR, Rows=None),
        instance(4, SOPClassUID=SR, Rows=None, SeriesInstanceUID="1.3"),
    ])  # fmt: skip
    assert [(stack["uid"], stack["kind"], stack["instances"]) for stack in found] == [
        ("1.2", "image", [["1.1", 3, 4, 4], ["1.2", 1, 4, 4]]),
        ("1.2", "report", [["1.3", 1, 4, None]]),
        ("1.3", "report", [["1.4", 1, 4, None]]),
    ]


def test_windows_are_pairs_and_nonsense_is_left_out() -> None:
    (stack,) = stacks([instance(1, WindowCenter="40\\-600", WindowWidth="80\\1500", BitsStored=12)])
    assert stack["windows"] == [[40.0, 80.0], [-600.0, 1500.0]]
    assert (stack["gray"], stack["range"]) == (True, [2048.0, 4096.0])
    (odd,) = stacks([instance(1, WindowCenter="x\\1", WindowWidth="80\\0", SamplesPerPixel=3)])
    assert (odd["windows"], odd["gray"]) == ([], False)
