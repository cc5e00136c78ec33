"""Cloud records: golden vectors, byte limits, value rules and stand-ins of the contract."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.attributes import ATTRIBUTES, Level, columns
from appliance.model.cloud import (
    SAFE_HEADERS,
    TOPICS,
    CloudRecord,
    Context,
    access_record,
    image_record,
    message_key,
    state_record,
    store_record,
    transcode_record,
)
from appliance.model.cloud_fields import (
    ACCESS_FIELDS,
    IMAGE_FIELDS,
    STATE_FIELDS,
    STORE_FIELDS,
    TRANSCODE_FIELDS,
    Field,
    Kind,
)
from appliance.model.cloud_stand_ins import cloud_patient_id, cloud_study_date
from appliance.model.cloud_values import cut_utf8, shorten
from appliance.model.records import Value

DOCUMENT = Path(__file__).parents[3] / "docs" / "cloud-records.md"
TABLES = {
    "state": STATE_FIELDS,
    "image": IMAGE_FIELDS,
    "store": STORE_FIELDS,
    "access": ACCESS_FIELDS,
    "transcode": TRANSCODE_FIELDS,
}

STUDY_UID = "1.2.840.113619.2.55.3.1"
SERIES_UID = f"{STUDY_UID}.2"
SOP_UID = f"{SERIES_UID}.3"
# 2024-01-31 10:11:12.5 in UTC
NOW = 1_706_695_872_500_000
CONTEXT = Context(tenant="1234567890", site="site-1", timezone="Asia/Shanghai", revision=7, now=NOW)


def study(**values: Value) -> dict[str, Value]:
    row: dict[str, Value] = dict.fromkeys(columns(Level.STUDY))
    row |= {
        "study_uid": STUDY_UID, "patient_id": "PAT001", "cloud_patient_id": "PAT001",
        "study_date": "20240131", "cloud_study_date": "20240131", "patient_name": "Wang^XiaoDong=王^小东",
        "study_time": "101112.5", "received_at": NOW,
    }  # fmt: skip
    return row | values


def series(**values: Value) -> dict[str, Value]:
    row: dict[str, Value] = dict.fromkeys(columns(Level.SERIES))
    row |= {
        "study_uid": STUDY_UID, "series_uid": SERIES_UID, "modality": "CT", "series_number": 3,
        "instance_count": 12, "received_at": NOW,
    }  # fmt: skip
    return row | values


def instance(**values: Value) -> dict[str, Value]:
    row: dict[str, Value] = dict.fromkeys(columns(Level.INSTANCE))
    row |= {"sop_uid": SOP_UID, "instance_number": 1, "rows": 512, "columns": 256, "received_at": NOW}
    return row | values


def version(**values: Value) -> dict[str, Value]:
    row: dict[str, Value] = {
        "study_uid": STUDY_UID, "series_uid": SERIES_UID, "sop_uid": SOP_UID,
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2", "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "trace_id": "7e1a9a1c-9c0a-5a0e-8c53-3f0c9b7e6a21", "file_size": 528000, "blob_path": "a/b/c.dcm",
        "source_address": "192.0.2.7", "source_ae": "CT1", "received_at": NOW, "digest": "ab" * 32,
    }  # fmt: skip
    return row | values


def records() -> Iterator[tuple[str, CloudRecord]]:
    yield "state", state_record(CONTEXT, study(), series())
    yield "image", image_record(CONTEXT, study(), series(), instance(), version())
    yield "store", store_record(CONTEXT, study(), instance(), version())
    yield "transcode", transcode_record(CONTEXT, version(), TRANSCODE)
    yield "access", access_record(CONTEXT, ACCESS, {"User-Agent": "x"})


TRANSCODE: dict[str, Value] = {"frame": 3, "fault": "refused", "reason": "no decoder", "program": "1", "at": NOW}
ACCESS: dict[str, Value] = {
    "timestamp": NOW, "request_id": "r-1", "method": "GET", "path": "/dicom-web/studies?PatientName=DOE",
    "peer_addr": "192.0.2.7:40000", "user": "", "user_id": "", "status": 200, "content_length": "12",
    "duration_ms": 3,
}  # fmt: skip


def test_golden_keys_and_hashes() -> None:
    state = state_record(CONTEXT, study(), series())
    image = image_record(CONTEXT, study(), series(), instance(), version())
    assert state.key == "11ed674946f6a4f3403ab2c2fedac244"
    assert image.key == "dff1549f6d0e917f9ff106047eb35f49"
    assert message_key("state", CONTEXT, study(), series()) == state.key
    assert message_key("image", CONTEXT, study(), series(), instance()) == image.key
    for record in (state, image):
        assert record.value["study_uid_hash"] == "15027461789662271818"
        assert record.value["series_uid_hash"] == "03244558302627355732"


def test_a_state_record_as_it_is_written() -> None:
    record = state_record(CONTEXT, study(), series())
    assert record.marks == ()
    assert json.loads(record.text) == {
        "tenant_id": "1234567890", "patient_id": "PAT001", "study_uid": STUDY_UID, "series_uid": SERIES_UID,
        "study_uid_hash": "15027461789662271818", "series_uid_hash": "03244558302627355732",
        "study_date_origin": "20240131", "patient_name": "Wang^XiaoDong=王^小东", "patient_sex": None,
        "patient_birth_date": None, "patient_birth_time": None, "patient_age": None, "patient_size": None,
        "patient_weight": None, "study_date": "2024-01-31", "study_time": "10:11:12.500000",
        "accession_number": "", "study_id": None, "study_description": None, "modality": "CT",
        "series_number": 3, "series_date": None, "series_time": None, "series_description": None,
        "body_part_examined": None, "protocol_name": None, "series_related_instances": 12,
        "created_time": "2024-01-31T18:11:12.500000", "updated_time": "2024-01-31T18:11:12.500000",
        "revision": 7,
    }  # fmt: skip
    assert "王" in record.text


def test_an_image_records_width_is_rows() -> None:
    value = image_record(CONTEXT, study(), series(), instance(), version()).value
    assert (value["width"], value["columns"]) == (512, 256)
    assert value["study_date_origin"] == "2024-01-31"
    assert value["image_status"] == "ACTIVE"
    assert value["space_size"] == 528000


def test_a_store_record_as_it_is_written() -> None:
    record = store_record(CONTEXT, study(), instance(), version())
    assert record.key == record.value["trace_id"] == version()["trace_id"]
    assert record.value["worker_node_id"] == "site-1"
    assert record.value["transfer_status"] == "NoNeedTransfer"
    assert record.value["number_of_frames"] == 1
    assert record.value["accession_number"] == ""
    assert record.value["source_ip"] == "192.0.2.7"


def test_an_access_record_carries_no_query_and_no_secret() -> None:
    headers = {"Authorization": "Bearer x", "Cookie": "s=1", "Referer": "/?PatientName=DOE", "Accept": "*/*"}
    record = access_record(CONTEXT, ACCESS, headers)
    assert record.key == "r-1"
    assert "DOE" not in record.text
    assert "Bearer" not in record.text
    assert record.value["path"] == "/dicom-web/studies"
    assert json.loads(str(record.value["headers"])) == {"accept": "*/*"}
    assert record.value["content_length"] == "12"
    assert record.value["status"] == 200


@pytest.mark.parametrize("letter", ["x", '"', "\\", "\t", "\xe9", "\x7f"])
def test_the_headers_of_an_access_are_json_however_long_they_came(letter: str) -> None:
    headers = dict.fromkeys(SAFE_HEADERS, letter * 30_000)
    kept = json.loads(str(access_record(CONTEXT, ACCESS, headers).value["headers"]))
    assert set(kept) == set(SAFE_HEADERS)
    assert json.loads(
        str(access_record(CONTEXT, ACCESS, {name.upper(): "*/*" for name in SAFE_HEADERS}).value["headers"])
    )


@pytest.mark.parametrize("kind", list(TABLES))
def test_no_required_field_is_null_and_the_order_is_the_tables(kind: str) -> None:
    value = dict(records())[kind].value
    assert list(value) == [field.name for field in TABLES[kind]]
    for field in TABLES[kind]:
        if field.required:
            assert value[field.name] is not None, field.name
            assert field.default is not None, field.name


def test_absent_stand_ins_are_marked_on_every_record() -> None:
    bare = study(patient_id=None, cloud_patient_id="UNKNOWN-1", study_date=None)
    expected = ("patient_id stand-in", "study_date stand-in")
    assert state_record(CONTEXT, bare, series()).marks == expected
    assert store_record(CONTEXT, bare, instance(), version()).marks == expected


LONG = [
    ("PAT" * 30, 64), ("病人" * 30, 64), ("A" * 17, 16), ("x" * 65, 64), ("😀" * 17, 64),
]  # fmt: skip


@pytest.mark.parametrize(("text", "limit"), LONG)
def test_a_long_identifier_keeps_a_hash_of_all_of_it(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short.encode()) <= limit
    beginning, _, digest = short.partition("~")
    assert text.startswith(beginning)
    assert re.fullmatch("[0-9a-f]{16}" if limit > 16 else "[0-9a-f]{15}", digest)
    assert shorten(text + "1", limit) != shorten(text + "2", limit)


def test_an_identifier_within_its_limit_is_untouched() -> None:
    assert shorten("x" * 64, 64) == "x" * 64
    marked = state_record(CONTEXT, study(accession_number="A" * 17), series())
    assert marked.marks == ("accession_number shortened",)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100), st.integers(1, 80))
def test_a_cut_is_at_a_character_and_as_long_as_possible(text: str, limit: int) -> None:
    cut = cut_utf8(text, limit)
    assert text.startswith(cut)
    assert len(cut.encode()) <= limit
    if cut != text:
        assert len(text[: len(cut) + 1].encode()) > limit


ANY = st.one_of(
    st.none(),
    st.text(max_size=100),
    st.integers(),
    st.floats(),
    st.sampled_from(["20240131", "101112", "x" * 700]),
)


def _fits(value: Any, field: Field) -> bool:
    """What the strict reader accepts in a field."""
    if value is None:
        return not field.required
    patterns = {
        Kind.DATE: r"\d{4}-\d\d-\d\d",
        Kind.COMPACT_DATE: r"\d{8}",
        Kind.TIME: r"\d\d:\d\d:\d\d(\.\d{6})?",
        Kind.MOMENT: r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?",
    }
    if field.kind in patterns:
        return isinstance(value, str) and re.fullmatch(patterns[field.kind], value, re.ASCII) is not None
    if field.kind in (Kind.IDENTIFIER, Kind.TEXT):
        return isinstance(value, str) and "\0" not in value and len(value.encode()) <= field.limit
    if field.kind is Kind.F64:
        return isinstance(value, float) and math.isfinite(value)
    bits = {
        Kind.I32: (-(2**31), 2**31),
        Kind.I64: (-(2**63), 2**63),
        Kind.U16: (0, 2**16),
        Kind.U64: (0, 2**64),
    }
    low, high = bits[field.kind]
    return type(value) is int and low <= value < high


@given(st.data())
def test_whatever_the_rows_hold_the_reader_accepts_the_record(data: st.DataObject) -> None:
    def noise(names: tuple[str, ...]) -> dict[str, Value]:
        chosen = data.draw(st.lists(st.sampled_from(names), max_size=6))
        return {name: data.draw(ANY) for name in chosen}

    rows = study(**noise((*columns(Level.STUDY), "cloud_patient_id", "cloud_study_date")))
    rows["study_date"] = data.draw(st.sampled_from([None, "20240131", "x"]))
    images = instance(**noise(columns(Level.INSTANCE)))
    one = series(**noise(columns(Level.SERIES)))
    made = {
        "state": state_record(CONTEXT, rows, one),
        "image": image_record(CONTEXT, rows, one, images, version()),
        "store": store_record(CONTEXT, rows, images, version()),
    }
    for kind, record in made.items():
        json.loads(record.text)
        for field in TABLES[kind]:
            assert _fits(record.value[field.name], field), (field, record.value[field.name])


@pytest.mark.parametrize(("value", "sent"), [("M", "M"), ("Male", "M"), ("女", None), ("", None), (None, None)])
def test_patient_sex_has_room_for_one_byte(value: Value, sent: Value) -> None:
    assert state_record(CONTEXT, study(patient_sex=value), series()).value["patient_sex"] == sent


@pytest.mark.parametrize(("patient_id", "expected"), [
    ("PAT001", "PAT001"), (" P ", "P"), ("\0", None), ("", None), (None, None),
])  # fmt: skip
def test_a_patient_without_an_identifier_is_known_by_the_study(patient_id: Value, expected: str | None) -> None:
    stand_in = cloud_patient_id(patient_id, STUDY_UID)
    if expected is not None:
        assert stand_in == expected
    else:
        assert re.fullmatch("UNKNOWN-[0-9a-f]{16}", stand_in)
        assert stand_in != cloud_patient_id(patient_id, SERIES_UID)


@pytest.mark.parametrize(("values", "expected"), [
    ({"study_date": "20240101", "series_date": "20240102"}, "20240101"),
    ({"study_date": "bad", "acquisition_date": "20240103", "series_date": "20240102"}, "20240103"),
    ({"series_date": "2024.01.02", "content_date": "20240104"}, "20240102"),
    ({"content_date": "20240104"}, "20240104"),
    ({}, "20240131"),
])  # fmt: skip
def test_a_study_without_a_date_gets_the_nearest_one(values: dict[str, Value], expected: str) -> None:
    assert cloud_study_date(values, NOW, "UTC") == expected


def test_the_received_date_is_a_day_of_the_configured_zone() -> None:
    late = NOW + 10 * 3600 * 1_000_000
    assert cloud_study_date({}, late, "UTC") == "20240131"
    assert cloud_study_date({}, late, "Asia/Shanghai") == "20240201"


def test_every_source_of_a_header_field_is_a_column_of_the_attribute_table() -> None:
    known = {f"{a.level.value}.{a.column}" for a in ATTRIBUTES if a.column}
    kept = {"cloud_patient_id", "cloud_study_date", "received_at"}
    for field in (*STATE_FIELDS, *IMAGE_FIELDS, *STORE_FIELDS):
        table, _, column = field.source.partition(".")
        if table in ("study", "series", "instance") and column not in kept:
            assert field.source in known


def test_every_field_limit_and_topic_is_documented() -> None:
    text = DOCUMENT.read_text()
    for topic in TOPICS:
        assert f"`{topic}`" in text
    for fields in TABLES.values():
        for field in fields:
            limit = str(field.limit) if field.limit else "-"
            star = "yes" if field.required else "no"
            row = f"| `{field.name}` | {field.kind.value} | {star} | {limit} |"
            assert row in text, row
