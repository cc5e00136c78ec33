"""Words of a big-endian data set (OW) turned round: pydicom turns numbers, but leaves these as they are."""

from __future__ import annotations

import numpy as np
from pydicom import Dataset

_WORDS = "OW"


def to_little_endian(dataset: Dataset) -> Dataset:
    """Turn every OW value of a big-endian data set round, in place; others stay as they are.

    `dataset` must not hold pixel data. Works level by level, so nesting costs no stack.
    """
    if dataset.original_encoding[1] is not False:
        return dataset
    waiting = [dataset]
    while waiting:
        for element in waiting.pop():
            if element.VR == "SQ":
                waiting.extend(element.value or ())
            elif element.VR == _WORDS and isinstance(element.value, bytes):
                element.value = turned(element.value)
    return dataset


def turned(words: bytes) -> bytes:
    """Return 16-bit words with their bytes exchanged."""
    return np.frombuffer(words[: len(words) // 2 * 2], "<u2").byteswap().tobytes()
