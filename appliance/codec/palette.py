"""Palette colours: tables for red, green and blue, plain or segmented (PS3.3 C.7.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from appliance.codec.luts import MOST_ENTRIES, Table, table_of
from appliance.codec.refusal import Refusal

Words = NDArray[np.uint16]

COLOURS: Final = ("Red", "Green", "Blue")
DISCRETE: Final = 0
LINEAR: Final = 1
INDIRECT: Final = 2


@dataclass(frozen=True, slots=True)
class Palette:
    """One table per colour."""

    tables: tuple[Table, Table, Table]

    def apply(self, stored: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the colours of stored values as (..., 3), 8 bits each: the upper eight of 16."""
        return np.stack([_eight_bits(table, table.apply(stored)) for table in self.tables], axis=-1)


def _eight_bits(table: Table, values: Words) -> NDArray[np.uint8]:
    # Tables that claim 16 bits and were filled with 8 exist; anything darker than that would be black.
    if table.bits <= 8 or int(table.values.max()) < 256:
        return np.minimum(values, 255).astype(np.uint8)
    return (values >> (table.bits - 8)).astype(np.uint8)


def palette_of(dataset: Dataset, *, signed: bool) -> Palette:
    """Return the palette a data set holds. Raises Refusal where it has none, or a broken one."""
    red, green, blue = (_table(dataset, colour, signed) for colour in COLOURS)
    return Palette((red, green, blue))


def _table(dataset: Dataset, colour: str, signed: bool) -> Table:
    descriptor = dataset.get(f"{colour}PaletteColorLookupTableDescriptor")
    plain = dataset.get(f"{colour}PaletteColorLookupTableData")
    segments = dataset.get(f"Segmented{colour}PaletteColorLookupTableData")
    if not isinstance(descriptor, Sequence) or len(descriptor) != 3 or not (plain or segments):
        raise Refusal("The object has palette colour pixels and no palette.")
    count = (int(descriptor[0]) & 0xFFFF) or MOST_ENTRIES
    if plain:
        return table_of(descriptor, plain, signed=signed)
    values = expand(segments, count, 1 if int(descriptor[2]) == 8 else 2)
    return table_of(descriptor, [int(value) for value in values], signed=signed)


def expand(segments: bytes, count: int, size: int) -> Words:
    """Return the `count` values that segments with entries of `size` bytes stand for (PS3.3 C.7.9.2).

    Indirect segments repeat plain ones only: an indirect segment inside another one is refused, so
    that expansion always ends. Raises Refusal.
    """
    codes = np.frombuffer(segments[: len(segments) // size * size], "<u1" if size == 1 else "<u2")
    expansion = _Expansion(codes.astype(np.int64), count, size)
    expansion.run(0, None)
    if len(expansion.values) < count:
        raise Refusal("A segmented palette is shorter than its descriptor says.")
    return np.array(expansion.values[:count], np.uint16)


class _Expansion:
    """Segments read one after the other into `values`."""

    def __init__(self, codes: NDArray[np.int64], count: int, size: int) -> None:
        self._codes = codes
        self._count = count
        self._size = size
        self.values: list[int] = []

    def run(self, at: int, most: int | None) -> None:
        """Read up to `most` segments from `at`; `most` is set inside an indirect one."""
        inside = most is not None
        while at + 1 < len(self._codes) and len(self.values) < self._count and most != 0:
            kind, length = int(self._codes[at]), int(self._codes[at + 1])
            at = self._segment(kind, length, at + 2, inside)
            most = most - 1 if most is not None else None

    def _segment(self, kind: int, length: int, at: int, inside: bool) -> int:
        if kind == DISCRETE:
            self.values.extend(self._take(at, length))
            return at + length
        if kind == LINEAR:
            self._ramp(length, self._take(at, 1)[0])
            return at + 1
        if kind == INDIRECT and not inside:
            parts = self._take(at, 4 // self._size)
            offset = sum(part << (8 * self._size * place) for place, part in enumerate(parts))
            self.run(offset // self._size, length)
            return at + len(parts)
        raise Refusal("A segmented palette holds an unknown or nested segment.")

    def _ramp(self, length: int, last: int) -> None:
        if not self.values:
            raise Refusal("A segmented palette begins with a linear segment.")
        steps = np.linspace(self.values[-1], last, length + 1)[1:]
        self.values.extend(int(value) for value in np.rint(steps))

    def _take(self, at: int, length: int) -> list[int]:
        if at + length > len(self._codes):
            raise Refusal("A segmented palette ends in the middle of a segment.")
        return [int(code) for code in self._codes[at : at + length]]
