"""Palettes, plain and segmented."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut

from appliance.codec.palette import expand, palette_of
from appliance.codec.refusal import Refusal
from tests.builders.images import palette


def words(*numbers: int) -> bytes:
    return np.array(numbers, "<u2").tobytes()


def test_discrete_linear_and_indirect_segments_expand() -> None:
    segments = words(0, 2, 10, 20, 1, 4, 60, 2, 1, 0, 0)
    assert expand(segments, 8, 2).tolist() == [10, 20, 30, 40, 50, 60, 10, 20]


def test_offsets_of_8_bit_segments_take_four_bytes() -> None:
    segments = bytes([0, 2, 10, 20, 2, 1, 0, 0, 0, 0])
    assert expand(segments, 4, 1).tolist() == [10, 20, 10, 20]


@pytest.mark.parametrize(
    "segments",
    [
        words(1, 4, 60),  # linear with nothing before it
        words(0, 9, 1, 2),  # cut off
        words(7, 1, 1),  # unknown
        words(0, 1, 5),  # shorter than the descriptor
        words(0, 1, 5, 2, 3, 6, 0),  # an indirect segment that repeats itself
        b"",
    ],
)
def test_broken_segments_are_refused_and_expansion_ends(segments: bytes) -> None:
    with pytest.raises(Refusal):
        expand(segments, 100, 2)


def test_a_huge_linear_segment_stays_within_the_table() -> None:
    assert len(expand(words(0, 1, 0, 1, 65535, 65535), 256, 2)) == 256


def test_16_bit_entries_give_their_upper_eight_bits() -> None:
    indices = np.arange(256).reshape(8, 32)
    tables = [[n * 257 for n in range(256)], [65535 - n * 257 for n in range(256)], [n * 128 for n in range(256)]]
    dataset = palette(indices, tables)
    expected = (apply_color_lut(indices, dataset) >> 8).astype(np.uint8)
    assert np.array_equal(palette_of(dataset, signed=False).apply(indices), expected)


def test_tables_filled_with_8_bits_but_labelled_16_are_not_black() -> None:
    dataset = palette(np.zeros((1, 1)), [[200], [100], [50]])
    assert palette_of(dataset, signed=False).apply(np.zeros((1, 1), np.uint8)).tolist() == [[[200, 100, 50]]]


def test_indices_before_the_first_mapped_take_the_first_colour() -> None:
    dataset = palette(np.zeros((1, 2)), [[0x1000, 0x2000]] * 3, first=10)
    assert palette_of(dataset, signed=False).apply(np.array([0, 11]))[:, 0].tolist() == [0x10, 0x20]


def test_no_palette_is_refused() -> None:
    with pytest.raises(Refusal):
        palette_of(Dataset(), signed=False)
