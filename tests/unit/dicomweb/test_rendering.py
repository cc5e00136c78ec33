"""Rendering parameters of PS3.18."""

from __future__ import annotations

import pytest

from appliance.dicomweb.params import BadParameter
from appliance.dicomweb.rendering import parse_rendering, parse_thumbnail, parse_uri_rendering


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("40,400", [40.0, 400.0, "LINEAR"]),
        ("40,400,linear", [40.0, 400.0, "LINEAR"]),
        ("-600.5,1.5e3,SIGMOID", [-600.5, 1500.0, "SIGMOID"]),
        ("0.5,0.2,linear-exact", [0.5, 0.2, "LINEAR_EXACT"]),
    ],
)
def test_a_window_is_center_width_and_function(text: str, window: list[object]) -> None:
    assert parse_rendering({"window": text}).arguments == {"window": window}


@pytest.mark.parametrize(
    ("text", "viewport"),
    [
        ("512,256", [512, 256]),
        ("512,256,10,20.5,100,-50", [512, 256, 10.0, 20.5, 100.0, -50.0]),
        ("512,256,,,-100,", [512, 256, 0.0, 0.0, -100.0, 0.0]),
        (",,1,2,3,4", [0, 0, 1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_a_viewport_is_a_size_and_perhaps_a_region(text: str, viewport: list[float]) -> None:
    assert parse_rendering({"viewport": text}).arguments == {"viewport": viewport}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("window", "40"), ("window", "a,b"), ("window", "40,400,cubic"), ("window", "40,0"), ("window", "40,0.5"),
        ("window", "0,-1,sigmoid"), ("window", "nan,1"), ("window", "inf,1"), ("window", "1e999,2"),
        ("viewport", "10"), ("viewport", "0,10"), ("viewport", "10,99999"), ("viewport", "10,10,-1,0,5,5"),
        ("viewport", "10,10,1"), ("viewport", "-5,5"), ("viewport", "1.5,2"), ("quality", "0"), ("quality", "101"),
        ("quality", "high"), ("quality", "90.5"), ("window", "١,٢"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_without_repeating_it(name: str, text: str) -> None:
    with pytest.raises(BadParameter) as refusal:
        parse_rendering({name: text})
    assert text not in refusal.value.message


def test_annotations_are_ignored_with_a_warning() -> None:
    rendering = parse_rendering({"annotation": "patient,technique", "quality": "80"})
    assert rendering.arguments == {"quality": 80}
    assert len(rendering.warnings) == 1


def test_a_thumbnail_fits_into_200_by_200_unless_told_otherwise() -> None:
    assert parse_thumbnail({}).arguments == {"viewport": [200, 200], "icon": True}
    assert parse_thumbnail({"viewport": "64,32"}).arguments["viewport"] == [64, 32]
    assert parse_thumbnail({"window": "1,2"}).warnings


def test_wado_uri_has_names_of_its_own() -> None:
    parameters = {
        "rows": "100", "columns": "200", "region": "0,0.25,0.5,1", "windowCenter": "40", "windowWidth": "400",
        "imageQuality": "70", "frameNumber": "3",
    }  # fmt: skip
    assert parse_uri_rendering(parameters).arguments == {
        "frame": 3, "viewport": [200, 100], "region": [0.0, 0.25, 0.5, 1.0], "window": [40.0, 400.0, "LINEAR"],
        "quality": 70,
    }  # fmt: skip
    assert parse_uri_rendering({"rows": "100"}).arguments == {"viewport": [0, 100]}


@pytest.mark.parametrize(
    "parameters",
    [
        {"windowCenter": "40"}, {"windowWidth": "40"}, {"region": "0,0,1"}, {"region": "0.5,0,0.5,1"},
        {"region": "0,0,1,1.5"}, {"frameNumber": "0"}, {"rows": "0"}, {"imageQuality": "500"},
    ],
)  # fmt: skip
def test_wado_uri_refuses_what_it_cannot_understand(parameters: dict[str, str]) -> None:
    with pytest.raises(BadParameter):
        parse_uri_rendering(parameters)
