"""Media types of frames (PS3.18 8.7.3.3): what a stored frame may be given as, in which transfer syntax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance.dicomweb.media_types import MULTIPART, OCTET_STREAM, MediaType, Offer
from appliance.model.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, find_syntax

ENCAPSULATED_UNCOMPRESSED: Final = "1.2.840.10008.1.2.1.98"
_JPEG: Final = "1.2.840.10008.1.2.4."

# The last component of the transfer syntax below 1.2.840.10008.1.2.4 -> media type.
_BY_NUMBER: Final = {
    **{str(number): "image/jpeg" for number in (*range(50, 67), 70)},
    **dict.fromkeys(("80", "81"), "image/jls"),
    **dict.fromkeys(("90", "91"), "image/jp2"),
    **dict.fromkeys(("92", "93"), "image/jpx"),
    **dict.fromkeys(("201", "202", "203"), "image/jphc"),
    **dict.fromkeys(("110", "111", "112"), "image/jxl"),
    **dict.fromkeys(("100", "100.1", "101", "101.1"), "video/mpeg"),
    **dict.fromkeys(("102", "102.1", "103", "103.1", "104", "104.1", "105", "105.1", "106", "106.1"), "video/mp4"),
    **dict.fromkeys(("107", "108"), "video/mp4"),
}
_RLE: Final = "1.2.840.10008.1.2.5"

# What the browser's viewer decodes by itself; everything else is decoded here for who takes any syntax.
READ_BY_BROWSERS: Final = frozenset({
    _RLE, *(_JPEG + number for number in ("50", "51", "57", "70", "80", "81", "90", "91", "201", "202", "203")),
})  # fmt: skip


def media_type_of(syntax: str) -> str:
    """Return the media type of a frame compressed in `syntax`; octet-stream where none is registered."""
    if syntax == _RLE:
        return "image/dicom-rle"
    return _BY_NUMBER.get(syntax.removeprefix(_JPEG), OCTET_STREAM) if syntax.startswith(_JPEG) else OCTET_STREAM


def is_video(syntax: str) -> bool:
    """Say whether all frames of `syntax` are one stream."""
    return media_type_of(syntax).startswith("video/")


def given_syntax(stored: str) -> str:
    """Return the transfer syntax that stored frames are labelled with when they are given as they are.

    Uncompressed ones are always little endian on their way out, whatever the data set is.
    """
    known = find_syntax(stored)
    uncompressed = stored == ENCAPSULATED_UNCOMPRESSED or (known is not None and not known.encapsulated)
    return EXPLICIT_VR_LITTLE_ENDIAN if uncompressed else stored


@dataclass(frozen=True, slots=True)
class FrameOffer(Offer):
    """One way to give frames. `named`: only to who names the transfer syntax; `any_too`: or says "*"."""

    named: bool = False
    any_too: bool = True

    def answers(self, wanted: MediaType) -> bool:
        """Say whether this way is within the range `wanted`."""
        syntax = wanted["transfer-syntax"]
        if self.named and not (syntax == self.transfer_syntax or (syntax == "*" and self.any_too)):
            return False
        # Not super(): a dataclass with slots is another class than the one this was written in.
        return Offer.answers(self, wanted)


@dataclass(frozen=True, slots=True)
class Ability:
    """What is at hand for one request: a decoder for this syntax or none, one frame or several."""

    decoder: bool
    single: bool


def frame_offers(stored: str, ability: Ability) -> list[FrameOffer]:
    """Return the ways to give frames stored in `stored`, the preferred one first.

    Whoever asks for octet-stream in any transfer syntax gets the stored bytes, unless no browser can
    decode them and we can. Octet-stream without a transfer syntax means uncompressed (table 8.7.3-4).
    """
    given = given_syntax(stored)
    if given == EXPLICIT_VR_LITTLE_ENDIAN:
        return _both(OCTET_STREAM, given, ability)
    own = media_type_of(stored)
    readable = stored in READ_BY_BROWSERS or not ability.decoder
    raw = _both(OCTET_STREAM, stored, ability, named=True, any_too=readable)
    registered = _both(own, stored, ability) if own != OCTET_STREAM else []
    decoded = _both(OCTET_STREAM, EXPLICIT_VR_LITTLE_ENDIAN, ability, decoded=True) if ability.decoder else []
    return [*registered, *raw, *decoded] if readable else [*decoded, *registered, *raw]


def _both(
    part: str, syntax: str, ability: Ability, *, named: bool = False, any_too: bool = True, decoded: bool = False
) -> list[FrameOffer]:
    parts = FrameOffer(MULTIPART, part, (), syntax, decoded, named, any_too)
    alone = FrameOffer(part, "", (), syntax, decoded, named, any_too)
    return [parts, alone] if ability.single else [parts]
