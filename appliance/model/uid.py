"""Unique identifiers (PS3.5 chapter 9): validity, the hash of one, and the trace identity of an object."""

from __future__ import annotations

import re
import uuid
from functools import lru_cache

MAX_UID_LENGTH = 64

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_MASK = 0xFFFF_FFFF_FFFF_FFFF
_DIFFUSION = 0x6EED0E9DA4D94A4F
_LANES = (0x16F11FE89B0D677C, 0xB480A793D8E6C86C, 0x6FE2E5AAF078EBC9, 0x14F994A4C5259381)

# A constant, so that a box and the centre derive the same trace identity independently.
_TRACE_NAMESPACE = uuid.UUID("8c0f4a4e-6d0b-5b0e-9d53-3f0c9b7e6a21")


def is_valid_uid(text: str) -> bool:
    """Say whether `text` is a UID that may name an object: digits in dotted components, 1 to 64 characters.

    Leading zeros in a component are let through, although PS3.5 9.1 forbids them, because devices
    in the field send them. Anything that passes is safe as one path component: there is no empty
    component, no separator and nothing but ASCII digits and single dots.
    """
    return len(text) <= MAX_UID_LENGTH and _UID.fullmatch(text) is not None


def _diffuse(x: int) -> int:
    x = x * _DIFFUSION & _MASK
    x ^= (x >> 32) >> (x >> 60)
    return x * _DIFFUSION & _MASK


def sea_hash(data: bytes) -> int:
    """Return SeaHash with its default seeds: unsigned, 64 bits."""
    a, b, c, d = _LANES
    for start in range(0, len(data), 8):
        word = int.from_bytes(data[start : start + 8], "little")
        a, b, c, d = b, c, d, _diffuse(a ^ word)
    return _diffuse(a ^ b ^ c ^ d ^ len(data))


@lru_cache(maxsize=4096)
def uid_hash(uid: str) -> str:
    """Return the cloud's hash of a UID: SeaHash of its UTF-8 bytes, 20 decimal digits, zero-padded."""
    return f"{sea_hash(uid.encode()):020d}"


def derive_trace_id(tenant: str, sop_uid: str, digest: str) -> str:
    """Return the UUID (36 characters) of one content of one SOP instance of one tenant.

    A pure function of its arguments, so that every retry, the box and the centre agree on it.
    """
    return str(uuid.uuid5(_TRACE_NAMESPACE, f"{tenant}\n{sop_uid}\n{digest}"))
