"""Receipts as text: the contract between the receiver and the boxes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.receipts import (
    LEVELS,
    Page,
    Receipt,
    SignedReceipt,
    compose,
    compose_page,
    parse,
    parse_page,
)

BYTES = Receipt(
    7, "clinic-7", "t.1", "bytes_confirmed", "1.2", "1.2.3", "1.2.3.4", "ab" * 32, "1.2.840.10008.1.2.1", 0,
    1_767_323_045_000_006,
)  # fmt: skip
SERIES = replace(BYTES, level="metadata_confirmed", sop_uid="", digest="", transfer_syntax_uid="", revision=5)


def test_the_text_is_exactly_the_contracts() -> None:
    assert compose(BYTES) == (
        '{"v":1,"id":7,"site":"clinic-7","tenant":"t.1","level":"bytes_confirmed","study_uid":"1.2",'
        f'"series_uid":"1.2.3","sop_uid":"1.2.3.4","digest":"{"ab" * 32}",'
        '"transfer_syntax_uid":"1.2.840.10008.1.2.1","revision":0,"at":"2026-01-02T03:04:05.000006Z"}'
    )


@given(
    st.integers(1, (1 << 63) - 1), st.sampled_from(sorted(LEVELS)), st.integers(0, (1 << 63) - 1),
    st.integers(0, 4_000_000_000_000_000),
)  # fmt: skip
def test_what_is_composed_is_read_back(number: int, level: str, revision: int, at: int) -> None:
    for receipt in (BYTES, SERIES):
        made = replace(receipt, id=number, level=level, revision=revision, at=at)
        assert parse(compose(made)) == made


def test_unknown_keys_and_other_zones_are_read() -> None:
    text = json.dumps({**json.loads(compose(BYTES)), "more": 1, "at": "2026-01-02T04:04:05.000006+01:00"})
    assert parse(text) == BYTES


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2}, {"v": True}, {"id": 0}, {"id": "7"}, {"id": True}, {"id": 1 << 63}, {"site": ""}, {"site": "a b"},
        {"tenant": "../x"}, {"level": "lost"}, {"study_uid": ""}, {"series_uid": "x"}, {"sop_uid": "a"},
        {"digest": "AB" * 32}, {"digest": "ab"}, {"revision": -1}, {"revision": 1.0}, {"at": ""},
        {"at": "2026-01-02T03:04:05"}, {"at": 5}, {"digest": None},
    ],
)  # fmt: skip
def test_what_is_no_receipt_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        parse(json.dumps({**json.loads(compose(BYTES)), **changes}))


@pytest.mark.parametrize("key", list(json.loads(compose(BYTES))))
def test_no_key_may_be_missing(key: str) -> None:
    found = json.loads(compose(BYTES))
    del found[key]
    with pytest.raises(ValueError):
        parse(json.dumps(found))


def test_pages_are_read_back() -> None:
    page = Page((SignedReceipt(compose(BYTES), "a_-9"),), 7, True, 9)
    assert parse_page(compose_page(page)) == page
    assert page.receipts[0].proof == compose(BYTES) + ".a_-9"


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"\xff", b"null", b"[" * 100_000, b'{"receipts":[],"next":1,"newest":1}',
        b'{"receipts":[],"next":1,"more":false}',
        b'{"receipts":{},"next":1,"more":false,"newest":1}',
        b'{"receipts":[],"next":"1","more":false,"newest":1}', b'{"receipts":[1],"next":1,"more":false,"newest":1}',
        b'{"receipts":[{"receipt":"{}","signature":"a b"}],"next":1,"more":false,"newest":1}',
        b'{"receipts":[{"receipt":{},"signature":"ab"}],"next":1,"more":false,"newest":1}',
        b'{"receipts":[%s],"next":1,"more":false,"newest":1}' % b",".join([b'{"receipt":"","signature":"a"}'] * 1001),
    ],
)  # fmt: skip
def test_what_is_no_page_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        parse_page(text)
