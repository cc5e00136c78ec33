"""Overlay planes."""

from __future__ import annotations

import numpy as np
from pydicom import Dataset

from appliance.codec.overlays import overlay_mask
from tests.builders.images import overlaid


def mask(rows: int, columns: int, *cells: tuple[int, int]) -> np.ndarray:
    bits = np.zeros((rows, columns), np.bool_)
    for cell in cells:
        bits[cell] = True
    return bits


def test_a_plane_lies_where_its_origin_puts_it() -> None:
    dataset = overlaid(Dataset(), mask(2, 2, (0, 0), (1, 1)), origin=(3, 4))
    found = overlay_mask(dataset, (6, 6), 1)
    assert found is not None
    assert np.argwhere(found).tolist() == [[2, 3], [3, 4]]


def test_what_lies_outside_the_image_is_cut_off() -> None:
    dataset = overlaid(Dataset(), mask(3, 3, (0, 0), (2, 2)), origin=(-1, -1))
    found = overlay_mask(dataset, (2, 2), 1)
    assert found is not None
    assert np.argwhere(found).tolist() == [[0, 0]]
    far = overlaid(Dataset(), mask(3, 3, (0, 0)), origin=(900, 900))
    assert overlay_mask(far, (2, 2), 1) is None


def test_planes_of_several_groups_are_drawn_together() -> None:
    dataset = overlaid(overlaid(Dataset(), mask(1, 3, (0, 0))), mask(1, 3, (0, 2)), group=0x6002)
    found = overlay_mask(dataset, (1, 3), 1)
    assert found is not None
    assert found.tolist() == [[True, False, True]]


def test_frames_have_their_own_planes_even_across_byte_borders() -> None:
    planes = np.stack([mask(1, 3, (0, 0)), mask(1, 3, (0, 1)), mask(1, 3, (0, 2))])
    dataset = overlaid(Dataset(), planes)
    for frame in (1, 2, 3):
        found = overlay_mask(dataset, (1, 3), frame)
        assert found is not None
        assert np.argwhere(found).tolist() == [[0, frame - 1]]
    assert overlay_mask(dataset, (1, 3), 4) is None


def test_bits_kept_beside_the_pixels_are_drawn() -> None:
    dataset = Dataset()
    dataset.add_new((0x6000, 0x0100), "US", 16)
    dataset.add_new((0x6000, 0x0102), "US", 15)
    raw = np.array([[0x8001, 0x0001]], np.uint16)
    found = overlay_mask(dataset, (1, 2), 1, raw)
    assert found is not None
    assert found.tolist() == [[True, False]]


def test_a_plane_that_is_shorter_than_it_says_is_left_out() -> None:
    dataset = overlaid(Dataset(), mask(8, 8, (0, 0)))
    dataset[0x6000, 0x3000].value = b"\x01\x00"
    assert overlay_mask(dataset, (8, 8), 1) is None
