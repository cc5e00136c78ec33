"""Store responses as stores really send them: JSON, lists of it, XML, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance.dicomweb.dicom_xml import to_xml
from appliance.dicomweb.media_types import MediaType
from appliance.dicomweb.store_answer import StoreAnswer, parse
from appliance.dicomweb.store_report import Failure, FailureReason, Reference, StoreReport, Success

JSON, XML = MediaType("application/dicom+json"), MediaType("application/dicom+xml")
CT = "1.2.840.10008.5.1.4.1.1.2"
DIGEST = "ab" * 32


def report() -> dict[str, Any]:
    stored = [Success(Reference(CT, "1.2.1"), "http://x/1"), Success(Reference(CT, "1.2.2"), "http://x/2")]
    failed = [Failure(Reference(CT, "1.2.3"), FailureReason.OUT_OF_RESOURCES)]
    return StoreReport(stored, [*failed, Failure(Reference(), FailureReason.CANNOT_UNDERSTAND)]).document()


EXPECTED = StoreAnswer({"1.2.1": "", "1.2.2": ""}, {"1.2.3": 0xA700}, (0xC000,))


def test_reads_what_our_own_door_answers_in_json_and_in_xml() -> None:
    assert parse(JSON, json.dumps(report()).encode()) == EXPECTED
    assert parse(XML, to_xml(report())) == EXPECTED


def test_reads_a_list_of_reports_and_a_byte_order_mark() -> None:
    assert parse(JSON, b"\xef\xbb\xbf" + json.dumps([report()]).encode()) == EXPECTED


def test_reads_the_digest_of_a_receiver_of_ours_alone() -> None:
    item = {"00081155": {"vr": "UI", "Value": ["1.2.1"]}, "00991001": {"vr": "LO", "Value": [DIGEST.upper()]}}
    document = {"00081199": {"vr": "SQ", "Value": [item]}}
    assert parse(JSON, json.dumps(document).encode()).stored == {"1.2.1": ""}
    item["00990010"] = {"vr": "LO", "Value": ["DICOM EDGE APPLIANCE"]}
    assert parse(JSON, json.dumps(document).encode()).stored == {"1.2.1": DIGEST}


def test_what_failed_once_is_not_taken_for_stored() -> None:
    twice = report()
    twice["00081198"]["Value"].append({"00081155": {"vr": "UI", "Value": ["1.2.1"]}})
    answer = parse(JSON, json.dumps(twice).encode())
    assert answer.failed == {"1.2.1": 0x0110, "1.2.3": 0xA700}
    assert set(answer.stored) == {"1.2.2"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"Success", b"null", b"[]", b"[1, null]", b"{", b'{"00081199": 1}', b'{"00081199": {"Value": 1}}',
        b'{"00081199": {"Value": [{"00081155": {"Value": [7]}}, "x"]}}', b'{"00081199": {"vr": "SQ"}}',
        b"[" * 100_000, b"<html>", b"<a/>", b"<a>", b"\xff\xfe",
        b'<!DOCTYPE a [<!ENTITY e "x">]><NativeDicomModel/>',
    ],
)  # fmt: skip
def test_anything_else_says_nothing(body: bytes) -> None:
    for media_type in (JSON, XML, MediaType("text/html"), MediaType("")):
        assert not parse(media_type, body)


def test_a_reason_that_is_no_number_is_a_failure_all_the_same() -> None:
    items = [
        {"00081155": {"Value": ["1.1"]}, "00081197": {"Value": ["x"]}},
        {"00081155": {"Value": ["1.2"]}, "00081197": {"Value": ["42752"]}},
        {"00081155": {"Value": ["1.3"]}, "00081197": {"Value": [None]}},
    ]
    assert parse(JSON, json.dumps({"00081198": {"Value": items}}).encode()).failed == {
        "1.1": 0x0110, "1.2": 42752, "1.3": 0x0110,
    }  # fmt: skip
