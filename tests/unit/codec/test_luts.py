"""Tables of grey values."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.codec.luts import Table, rescaled, table_of
from appliance.codec.refusal import Refusal


def test_inputs_outside_a_table_take_its_ends() -> None:
    table = table_of([3, 10, 8], [5, 6, 7])
    assert table.apply(np.array([0, 10, 11, 12, 99])).tolist() == [5, 5, 6, 7, 7]


def test_a_count_of_zero_means_65536_entries() -> None:
    assert len(table_of([0, 0, 16], np.arange(65536, dtype="<u2").tobytes()).values) == 65536


@pytest.mark.parametrize(
    ("first", "signed", "expected"), [(0xFFF0, True, -16), (-16, True, -16), (0xFFF0, False, 65520)]
)
def test_the_first_input_reads_as_the_inputs_do(first: int, signed: bool, expected: int) -> None:
    assert table_of([2, first, 8], [1, 2], signed=signed).first == expected


def test_as_many_bytes_as_entries_are_one_byte_each() -> None:
    assert table_of([4, 0, 8], bytes([1, 2, 3, 4])).values.tolist() == [1, 2, 3, 4]
    assert table_of([3, 0, 8], bytes([1, 2, 3, 0])).values.tolist() == [1, 2, 3]


def test_a_table_that_holds_more_than_it_says_is_scaled_by_what_it_holds() -> None:
    assert table_of([2, 0, 8], [0, 4095]).top == 4095


@pytest.mark.parametrize("descriptor", [[], [1, 0], [2, 0, 0], [2, 0, 17]])
def test_an_impossible_descriptor_is_refused(descriptor: list[int]) -> None:
    with pytest.raises(Refusal):
        table_of(descriptor, [1, 2])


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(Refusal):
        table_of([2, 0, 8], b"")


def test_fractions_are_cut_before_they_are_looked_up() -> None:
    table = Table(0, np.array([10, 20, 30], np.uint16), 8)
    assert table.apply(np.array([0.9, 1.0, 1.99])).tolist() == [10, 20, 20]


def test_rescaling_is_slope_times_value_plus_intercept() -> None:
    assert rescaled(np.array([0, 1000], np.uint16), 2.0, -1024.0).tolist() == [-1024.0, 976.0]


def test_inputs_of_8_bits_below_the_table_do_not_wrap_round() -> None:
    assert table_of([2, 20, 8], [1, 2]).apply(np.array([0, 19, 20, 21], np.uint8)).tolist() == [1, 1, 1, 2]
