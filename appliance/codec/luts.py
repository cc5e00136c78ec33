"""Look-up tables of grey values: modality and VOI LUTs (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.codec.refusal import Refusal

Numbers = NDArray[Any]
Floats = NDArray[np.float64]

MOST_ENTRIES: Final = 65536


@dataclass(frozen=True, slots=True)
class Table:
    """Values of one table. `first` is the input that takes `values[0]`; outputs have `bits` bits.

    Inputs below and above the table take its first and its last value.
    """

    first: int
    values: NDArray[np.uint16]
    bits: int

    @property
    def top(self) -> int:
        """The largest output the bits allow."""
        return (1 << self.bits) - 1

    def apply(self, inputs: Numbers) -> NDArray[np.uint16]:
        """Return the output of every input, which may be a fraction: it is cut to a whole number."""
        places = np.clip(np.floor(np.asarray(inputs, np.float64)) - self.first, 0, len(self.values) - 1)
        found: NDArray[np.uint16] = self.values[places.astype(np.int64)]
        return found


def table_of(descriptor: Sequence[int], data: bytes | int | Sequence[int], *, signed: bool = False) -> Table:
    """Return the table a LUT Descriptor and LUT Data describe.

    `data` is little endian bytes (OW) or whole numbers (US). `signed` says that the inputs may be
    negative, so that the second number of the descriptor may be. Raises Refusal.
    """
    if len(descriptor) != 3:
        raise Refusal("A look-up table has no valid descriptor.")
    count, first, bits = (int(number) for number in descriptor)
    count = (count & 0xFFFF) or MOST_ENTRIES
    values = entries(data, count)
    if len(values) == 0 or not 1 <= (bits & 0xFFFF) <= 16:
        raise Refusal("A look-up table is empty or its entries have an impossible size.")
    return Table(_first(first, signed), values[:count], _real_bits(bits & 0xFFFF, values))


def entries(data: bytes | int | Sequence[int], count: int) -> NDArray[np.uint16]:
    """Return the numbers of a table. As many bytes as entries (or one more, for padding) are 8 bits each."""
    if isinstance(data, bytes):
        if len(data) in (count, count + count % 2) and count > 1:
            return np.frombuffer(data, np.uint8)[:count].astype(np.uint16)
        return np.frombuffer(data[: len(data) // 2 * 2], "<u2")
    numbers = [data] if isinstance(data, int) else list(data)[:MOST_ENTRIES]
    return (np.array(numbers, np.int64) & 0xFFFF).astype(np.uint16)


def _first(first: int, signed: bool) -> int:
    # Writers choose US or SS freely; what the inputs are decides how the same 16 bits read.
    first &= 0xFFFF
    return first - 0x10000 if signed and first >= 0x8000 else first


def _real_bits(bits: int, values: NDArray[np.uint16]) -> int:
    # Some writers state too few bits; a table cannot hold more than it may show.
    return max(bits, int(values.max()).bit_length())


def rescaled(inputs: Numbers, slope: float, intercept: float) -> Floats:
    """Return inputs * slope + intercept (PS3.3 C.11.1.1.2)."""
    return np.asarray(inputs, np.float64) * slope + intercept
