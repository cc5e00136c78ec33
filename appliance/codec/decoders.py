"""Decoding one compressed frame: the decoders of its transfer syntax are asked in order until one can."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from appliance.codec.decoder_table import TABLE
from appliance.codec.frame import Frame, ImageFacts
from appliance.codec.refusal import Refusal, TooMuch
from appliance.codec.uncompressed import uncompressed_frame

# (encoded frame, facts as the object states them, decoder's name, transfer syntax to assume) -> frame
Decode = Callable[[bytes, ImageFacts, str, str], Frame]


def decode(encoded: bytes, syntax: str, facts: ImageFacts) -> tuple[Frame, str]:
    """Return a frame decoded by the first decoder that can, and its name. Raises Refusal, MemoryError."""
    decoders = TABLE.get(syntax)
    if not decoders:
        raise Refusal("there is no decoder for this transfer syntax")
    for decoder in decoders:
        try:
            return _loaded(decoder.function)(encoded, facts, decoder.name, decoder.syntax), decoder.name
        except (MemoryError, TooMuch):
            raise
        except Exception:  # boundary: decoders raise anything; the next one is asked, and the last word is below
            continue
    names = ", ".join(decoder.name for decoder in decoders)
    raise Refusal(f"every decoder refuses this frame: {names}")


def plain(encoded: bytes, facts: ImageFacts, name: str, syntax: str) -> Frame:
    """Return a frame that was encapsulated as it is (PS3.5 A.4.11)."""
    single = replace(facts, frames=1)

    def read_at(position: int, size: int) -> bytes:
        return encoded[position : position + size]

    frame = uncompressed_frame(read_at, 0, len(encoded), 1, single, keyword="PixelData", order="<", swap=False)
    return Frame(frame.pixels, replace(frame.facts, frames=facts.frames))


def inflated(encoded: bytes, facts: ImageFacts, name: str, syntax: str) -> Frame:
    """Return a frame that was deflated by itself (PS3.5 A.4.13)."""
    most = facts.rows * facts.columns * facts.samples_per_pixel * facts.bits_allocated // 8 + 2
    return plain(zlib.decompressobj(-zlib.MAX_WBITS).decompress(encoded, most), facts, name, syntax)


def _loaded(name: str) -> Decode:
    module, _, function = name.partition(":")
    found: Decode = getattr(import_module(module), function)
    return found
