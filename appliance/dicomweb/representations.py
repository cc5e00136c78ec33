"""The value representation of an element whose encoding does not say it (PS3.5 annex A, PS3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

PIXEL_REPRESENTATION: Final = 0x00280103
UNKNOWN: Final = "UN"
_CHOICES: Final = ("US or SS", "OB or OW", "US or OW", "US or SS or OW")


def is_private(tag: int) -> bool:
    """Say whether a tag has an odd group."""
    return bool(tag >> 16 & 1)


def is_private_creator(tag: int) -> bool:
    """Say whether a tag reserves a block of private elements (PS3.5 7.8.1)."""
    return is_private(tag) and 0x10 <= (tag & 0xFFFF) <= 0xFF


@lru_cache(maxsize=8192)
def _public(tag: int) -> str:
    from pydicom.datadict import dictionary_VR  # large; a room that reads no object is spared it

    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return UNKNOWN


@lru_cache(maxsize=8192)
def _private(tag: int, creator: str) -> str:
    from pydicom.datadict import private_dictionary_VR

    try:
        return str(private_dictionary_VR(tag, creator))
    except KeyError:
        return UNKNOWN


def _chosen(vr: str, signed: bool) -> str:
    """Settle the VRs that the dictionary leaves to the data set."""
    if vr not in _CHOICES:
        return vr
    return "OW" if "OW" in vr else "SS" if signed else "US"


def representation(tag: int, creators: Mapping[int, str], signed: bool) -> str:
    """Return the VR of `tag` by dictionary, "UN" if none knows it.

    `creators` maps the tags of the private creators of this item to their names; `signed` says
    what Pixel Representation says.
    """
    if is_private_creator(tag):
        return "LO"
    if is_private(tag):
        creator = creators.get((tag & 0xFFFF0000) | (tag >> 8 & 0xFF), "")
        return _chosen(_private(tag, creator), signed) if creator else UNKNOWN
    return _chosen(_public(tag), signed)
