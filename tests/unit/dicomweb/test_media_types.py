"""Content negotiation: what clients in the field send gets the representation they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.dicomweb.media_types import Offer, choose, parse_accept, parse_media_type

JSON = Offer("application/dicom+json", aliases=("application/json",))
XML = Offer("multipart/related", part="application/dicom+xml")
FILES = Offer("multipart/related", part="application/dicom", transfer_syntax="1.2.840.10008.1.2.1")
FILE = Offer("application/dicom", transfer_syntax="1.2.840.10008.1.2.1")


@pytest.mark.parametrize(
    ("accept", "offers", "chosen"),
    [
        ("", (JSON, XML), JSON),
        ("*/*", (JSON, XML), JSON),
        ("application/json", (JSON, XML), JSON),
        ("application/*", (JSON, XML), JSON),
        ("application/dicom+json, application/json;q=0.5", (XML, JSON), JSON),
        ('multipart/related; type="application/dicom+xml"', (JSON, XML), XML),
        ("multipart/related;type=application/dicom+xml", (JSON, XML), XML),
        ("multipart/related", (JSON, XML), XML),
        ("text/html, application/xhtml+xml, */*;q=0.8", (JSON, XML), JSON),
        ("application/dicom+json;q=0.1, multipart/related;q=0.9", (JSON, XML), XML),
        ("application/dicom+json;q=0, */*", (JSON, XML), XML),
        ("text/html", (JSON, XML), None),
        ("application/dicom+json;q=bad", (JSON,), None),
        ('multipart/related; type="application/dicom"; transfer-syntax=*', (FILES, FILE), FILES),
        ('multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1', (FILES,), FILES),
        (
            'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.50',
            (FILES,),
            None,
        ),
        ("application/dicom", (FILES, FILE), FILE),
        ("application/dicom; transfer-syntax=1.2.840.10008.1.2", (FILES, FILE), None),
        ('multipart/related; type="application/octet-stream"', (FILES,), None),
    ],
)
def test_the_client_gets_what_it_prefers(accept: str, offers: tuple[Offer, ...], chosen: Offer | None) -> None:
    assert choose(parse_accept(accept), offers) is chosen


def test_quoted_commas_and_semicolons_belong_to_the_value() -> None:
    (first, second) = parse_accept(r'a/b; x="1,2;3\"4", c/d')
    assert first["x"] == '1,2;3"4'
    assert second.type == "c/d"


def test_a_content_type_with_rubbish_behind_it_is_none() -> None:
    assert parse_media_type("multipart/related; boundary=x") is not None
    assert parse_media_type("multipart/related; boundary=x, y") is None
    assert parse_media_type("nonsense") is None


@given(st.text(max_size=300))
def test_no_header_breaks_the_parser(text: str) -> None:
    assert all(0.0 <= wanted.quality <= 1.0 for wanted in parse_accept(text))
    parse_media_type(text)
