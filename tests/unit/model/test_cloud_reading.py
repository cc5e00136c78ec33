"""Reading records back: everything the writers write is taken, nothing looser is, and no reason tells a value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.cloud_fields import IMAGE_FIELDS, STATE_FIELDS, STORE_FIELDS, Kind
from appliance.model.cloud_reading import Unreadable, parse_object, read_row
from appliance.model.cloud_values import write_value
from tests.builders.cloud import FIELDS, record

TEXT = "Quagga"
SECRET = f"{TEXT}\0Zebra"


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_a_whole_record_is_read_in_the_order_of_its_table(kind: str) -> None:
    row = read_row({**record(kind), "a_later_field": {"x": []}}, FIELDS[kind])
    assert list(row) == [field.name for field in FIELDS[kind]]


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_whatever_the_writer_makes_of_a_value_is_taken(kind: str) -> None:
    values: list[Any] = [
        None, "", "x" * 9000, "é" * 600, "a\0b", 7, -1, 2**80, 1.5, "20240131", "101112.123456", "\ud800",
    ]  # fmt: skip
    for field in FIELDS[kind]:
        for value in values:
            if field.kind is Kind.MOMENT and value == 2**80:
                continue
            written, _ = write_value(value, field, "UTC")
            empty = written == "" and field.kind is Kind.IDENTIFIER
            if empty or field.name in ("transfer_status", "tenant_id", "digest"):
                continue
            found = read_row({**record(kind), field.name: written}, FIELDS[kind])
            assert found[field.name] == (field.default if written is None else written)


WRONG: dict[Kind, list[Any]] = {
    Kind.IDENTIFIER: [None, 5, True, ["x"], SECRET, "x" * 65, "\ud800", ""],
    Kind.DATE: [20240131, "20240131", "", "2024-02-30", "2024-1-31", "2024-01-31T00:00:00",
                "0000-01-01", "\uff12024-01-31"],
    Kind.COMPACT_DATE: ["2024-01-31", "20240230", "", 20240131, "2024013"],
    Kind.MOMENT: ["2024-01-31 10:11:12", "2024-01-31T10:11:12Z", "2024-01-31T10:11", "2024-01-31T10:11:12+00:00",
                  "2024-01-31", "2024-01-31T24:00:00", 5, "2024-01-31T10:11:12.1234567", ""],
    Kind.I64: ["5", 1.0, 2**63, True, [], "", 1.5],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in WRONG.items() for value in values])
def test_a_required_field_takes_nothing_looser_and_its_reason_names_it_alone(kind: Kind, value: Any) -> None:
    field = next(f for f in STATE_FIELDS if f.kind is kind and f.required)
    with pytest.raises(Unreadable) as caught:
        read_row({**record("state"), field.name: value}, STATE_FIELDS)
    assert str(caught.value).startswith(field.name + " ")
    assert TEXT not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patient_birth_time", "101112"), ("patient_birth_time", "24:00:00"), ("patient_birth_time", "10:11"),
        ("patient_size", "1.5"), ("patient_size", True), ("patient_size", 10**400), ("series_number", "1"),
        ("series_number", 1.0), ("series_number", 2**31), ("patient_name", "é" * 33), ("patient_name", SECRET),
        ("accession_number", "x" * 17), ("patient_sex", "MF"), ("patient_birth_date", ""), ("modality", {"a": 1}),
    ],
)  # fmt: skip
def test_an_optional_field_is_as_strict_once_it_is_there(name: str, value: Any) -> None:
    with pytest.raises(Unreadable, match=rf"^{name} "):
        read_row({**record("state"), name: value}, STATE_FIELDS)


def test_what_may_be_absent_has_the_value_a_writer_would_have_said() -> None:
    bare = {f.name: value for f, value in zip(STATE_FIELDS, record("state").values(), strict=True) if f.required}
    row = read_row(bare, STATE_FIELDS)
    assert (row["patient_name"], row["accession_number"], row["series_number"]) == (None, "", None)
    assert read_row({**bare, "accession_number": None}, STATE_FIELDS)["accession_number"] == ""


def test_a_box_that_knows_no_revision_yet_is_the_oldest() -> None:
    old = {name: value for name, value in record("image").items() if name != "revision"}
    assert read_row(old, IMAGE_FIELDS).get("revision", 0) == 0


def test_a_transfer_status_is_one_of_four() -> None:
    with pytest.raises(Unreadable, match=r"^transfer_status "):
        read_row(record("storage", transfer_status="Done"), STORE_FIELDS)


def test_floats_that_are_whole_numbers_become_floats() -> None:
    assert type(read_row(record("state", patient_size=2), STATE_FIELDS)["patient_size"]) is float


@pytest.mark.parametrize(
    "value",
    [
        b"", b"nonsense", b"\xff{}", b"[]", b"5", b'"x"', b"null", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":1,"a":2}',
        b"[" * 100_000, b'{"a":1' + b"0" * 5000 + b"}", b"{}{}",
    ],
)  # fmt: skip
def test_what_is_no_object_of_strict_json_is_refused(value: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_object(value)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(value: bytes) -> None:
    try:
        found = parse_object(value)
    except Unreadable:
        return
    assert isinstance(found, dict)


@given(st.dictionaries(st.sampled_from([f.name for f in STATE_FIELDS]), st.one_of(
    st.none(), st.text(), st.integers(), st.floats(), st.booleans(), st.lists(st.integers(), max_size=2))))  # fmt: skip
def test_no_values_raise_anything_else_or_pass_unwritable(values: dict[str, Any]) -> None:
    try:
        row = read_row({**record("state"), **values}, STATE_FIELDS)
    except Unreadable:
        return
    assert "\0" not in json.dumps(row, allow_nan=False).replace("\\u0000", "\0")


@pytest.mark.parametrize("digest", ["", "ab" * 31, "AB" * 32, "gh" * 32, "ab" * 32 + "\n", 5])
def test_a_digest_is_written_in_full_or_not_there_at_all(digest: Any) -> None:
    with pytest.raises(Unreadable, match="digest"):
        read_row(record("image", digest=digest), IMAGE_FIELDS)
    old = {name: value for name, value in record("image").items() if name != "digest"}
    assert read_row(old, IMAGE_FIELDS)["digest"] is None
