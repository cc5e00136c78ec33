"""Windows as PS3.3 C.11.2.1.2 and C.11.2.1.3 define them."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.codec.windows import LINEAR, LINEAR_EXACT, SIGMOID, Window, extremes, spanning


def shade(window: Window, *values: float) -> list[float]:
    return [round(float(one), 6) for one in window.apply(np.array(values))]


def test_linear_reaches_black_and_white_half_a_step_inside() -> None:
    # PS3.3 C.11.2.1.2.1: c=2048, w=4096 maps 0 to black and 4095 to white.
    assert shade(Window(2048, 4096), 0, 2047.5, 4095, -5, 9999) == [0.0, 0.5, 1.0, 0.0, 1.0]


def test_a_width_of_one_is_a_threshold() -> None:
    assert shade(Window(100, 1), 99, 99.5, 100) == [0.0, 0.0, 1.0]


def test_linear_exact_spans_the_whole_width() -> None:
    assert shade(Window(50, 100, LINEAR_EXACT), 0, 25, 50, 100) == [0.0, 0.25, 0.5, 1.0]


def test_sigmoid_is_half_at_the_centre_and_never_overflows() -> None:
    shades = shade(Window(0, 1e-3, SIGMOID), -1e9, 0, 1e9)
    assert shades == [0.0, 0.5, 1.0]
    assert shade(Window(0, 4, SIGMOID), 1) == [round(1 / (1 + np.exp(-1)), 6)]


@pytest.mark.parametrize(
    "window",
    [Window(0, 0), Window(0, 0.5), Window(0, -3, SIGMOID), Window(float("nan"), 5), Window(0, 5, "CUBIC")],
)
def test_a_window_that_cannot_be_applied_says_so(window: Window) -> None:
    assert not window.valid


def test_a_narrow_exact_window_is_valid() -> None:
    assert Window(0.5, 0.1, LINEAR_EXACT).valid


def test_what_is_no_number_is_black() -> None:
    assert shade(Window(0, 10), float("nan")) == [0.0]


def test_extremes_leave_out_padding_and_what_is_not_finite() -> None:
    values = np.array([np.inf, -5.0, 7.0, np.nan, 900.0])
    assert extremes(values, values == 900.0) == (-5.0, 7.0)
    assert extremes(np.array([], np.int16)) == (0.0, 0.0)


def test_a_constant_image_is_black() -> None:
    assert shade(spanning(7, 7), 7) == [0.0]
    assert spanning(7, 7).function == LINEAR
