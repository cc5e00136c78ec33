"""What stored frames are given as: as stored to who can read them, decoded to who cannot."""

from __future__ import annotations

import pytest

from appliance.dicomweb.frame_media import Ability, frame_offers, is_video, media_type_of
from appliance.dicomweb.media_types import choose, parse_accept
from appliance.model.syntaxes import TRANSFER_SYNTAXES

EXPLICIT, LS, PART_2, RLE = ("1.2.840.10008.1.2" + end for end in (".1", ".4.80", ".4.92", ".5"))
OCTETS = 'multipart/related; type="application/octet-stream"'
ANY = f"{OCTETS}; transfer-syntax=*"


def given(stored: str, accept: str, *, decoder: bool = True, single: bool = True) -> tuple[str, str, str, bool] | None:
    offer = choose(parse_accept(accept), frame_offers(stored, Ability(decoder, single)))
    return None if offer is None else (offer.type, offer.part, offer.transfer_syntax, offer.decoded)


@pytest.mark.parametrize("accept", ["", "*/*", OCTETS, ANY, f"{OCTETS}; transfer-syntax={EXPLICIT}"])
@pytest.mark.parametrize("stored", [EXPLICIT, "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.98"])
def test_uncompressed_frames_are_given_in_little_endian(stored: str, accept: str) -> None:
    assert given(stored, accept) == ("multipart/related", "application/octet-stream", EXPLICIT, False)


@pytest.mark.parametrize(
    ("stored", "accept", "part", "syntax", "decoded"),
    [
        (LS, ANY, "application/octet-stream", LS, False),
        (LS, OCTETS, "application/octet-stream", EXPLICIT, True),
        (LS, f"{OCTETS}; transfer-syntax={LS}", "application/octet-stream", LS, False),
        (LS, "*/*", "image/jls", LS, False),
        (RLE, 'multipart/related; type="image/*"', "image/dicom-rle", RLE, False),
        (PART_2, ANY, "application/octet-stream", EXPLICIT, True),
        (PART_2, f"{OCTETS}; transfer-syntax={PART_2}", "application/octet-stream", PART_2, False),
        (PART_2, 'multipart/related; type="image/jpx"', "image/jpx", PART_2, False),
    ],
)
def test_compressed_frames_are_given_as_the_reader_can_take_them(
    stored: str, accept: str, part: str, syntax: str, decoded: bool
) -> None:
    assert given(stored, accept) == ("multipart/related", part, syntax, decoded)


def test_without_a_decoder_everything_is_given_as_stored_or_not_at_all() -> None:
    assert given(PART_2, ANY, decoder=False) == ("multipart/related", "application/octet-stream", PART_2, False)
    assert given(PART_2, OCTETS, decoder=False) is None


def test_several_frames_need_a_multipart_answer() -> None:
    assert given(LS, "image/jls", single=False) is None
    assert given(LS, "image/jls") == ("image/jls", "", LS, False)


def test_every_video_and_no_image_is_a_stream() -> None:
    streams = {syntax.uid for syntax in TRANSFER_SYNTAXES if "MPEG" in syntax.name or "HEVC" in syntax.name}
    assert {syntax.uid for syntax in TRANSFER_SYNTAXES if is_video(syntax.uid)} == streams
    assert all(media_type_of(uid).startswith("video/") for uid in streams)
