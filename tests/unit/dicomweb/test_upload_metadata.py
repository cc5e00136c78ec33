"""Upload-Metadata: what a sender announces is UIDs and a digest, or nothing."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.dicomweb.upload_metadata import MOST_CHARACTERS, Announced, parse_metadata
from appliance.errors import PeerError
from appliance.model.uid import is_valid_uid

DIGEST = "0123456789abcdef" * 4
MINIMUM = {"sop_uid": "1.2.3", "digest": DIGEST}


def encoded(**values: str) -> str:
    return ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in values.items())


def test_reads_what_the_box_sends() -> None:
    values = {**MINIMUM, "study_uid": "1.2", "series_uid": "1.2.4", "transfer_syntax_uid": "1.2.840.10008.1.2.1"}
    assert parse_metadata(encoded(**values)) == Announced(**values)
    assert parse_metadata(encoded(**values, filename="x.dcm").replace(",", ", ")).labels() == values


def test_what_is_left_open_is_empty() -> None:
    assert parse_metadata(encoded(**MINIMUM)) == Announced("1.2.3", DIGEST)


@pytest.mark.parametrize(
    "changes",
    [
        {"sop_uid": ""},
        {"sop_uid": "1.2\r\nX: 1"},
        {"sop_uid": "../1"},
        {"sop_uid": "1." * 40},
        {"sop_uid": "ä"},
        {"digest": ""},
        {"digest": DIGEST.upper()},
        {"digest": DIGEST + "0"},
        {"digest": DIGEST[:-1] + "\n"},
        {"study_uid": "x"},
        {"transfer_syntax_uid": "1.2 "},
        {"note": "x" * MOST_CHARACTERS},
    ],
)
def test_anything_else_is_refused_without_being_repeated(changes: dict[str, str]) -> None:
    with pytest.raises(PeerError) as caught:
        parse_metadata(encoded(**{**MINIMUM, **changes}))
    assert not any(text and text in caught.value.message for text in changes.values() if text != "x")


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda data: "digest " + base64.b64encode(data).decode()))
@example("digest =,sop_uid =")
@example(",,,,")
@example("digest\x00 MA==")
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    try:
        found = parse_metadata(text)
    except PeerError:
        return
    assert is_valid_uid(found.sop_uid)
