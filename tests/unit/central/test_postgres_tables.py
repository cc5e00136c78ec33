"""The statements for PostgreSQL follow from the records' fields."""

from __future__ import annotations

import pytest

from appliance.central.postgres_tables import ACCESS, OBJECT, STATE, TABLES, check, document, key_of, lacking, upsert
from appliance.central.targets import Kind
from appliance.model.cloud_fields import STATE_FIELDS


@pytest.mark.parametrize("kind", list(Kind))
def test_every_key_begins_with_the_tenant(kind: Kind) -> None:
    table = TABLES[kind]
    assert table.key[0] == "tenant_id"
    assert set(table.key) <= {column.name for column in table.columns}


@pytest.mark.parametrize("kind", [Kind.STATE, Kind.IMAGE])
def test_what_has_a_revision_is_guarded_by_it(kind: Kind) -> None:
    statement = upsert(TABLES[kind])
    assert statement.endswith("WHERE excluded.revision >= t.revision")
    assert "revision DESC, n DESC ON CONFLICT" in statement


@pytest.mark.parametrize("kind", [Kind.LOG, Kind.STORAGE, Kind.ACCESS, Kind.TRANSCODE])
def test_what_has_none_is_never_replaced(kind: Kind) -> None:
    assert upsert(TABLES[kind]).endswith("DO NOTHING")


def test_the_key_is_never_among_what_changes() -> None:
    changes = upsert(STATE).split("DO UPDATE SET")[1]
    assert not any(f'"{name}" =' in changes for name in STATE.key)
    assert all(f'"{field.name}" = excluded' in changes for field in STATE_FIELDS if field.name not in STATE.key)


def test_names_that_sql_has_for_itself_are_quoted() -> None:
    assert '"timestamp" timestamp' in check(ACCESS.columns) and '"user" varchar' in check(ACCESS.columns)


def test_a_record_becomes_its_columns() -> None:
    row = document(ACCESS, {"request_id": "r-1", "tenant_id": "t", "unknown": 1}, 7)
    assert (row["log_id"], row["tenant_id"], row["n"]) == ("r-1", "t", 7)
    assert "request_id" not in row and "unknown" not in row
    assert key_of(ACCESS, {"request_id": "r-1", "tenant_id": "t"}) == ("t", "r-1")


def test_a_record_without_a_revision_has_the_lowest() -> None:
    assert document(STATE, {}, 0)["revision"] == 0
    assert "revision" not in document(OBJECT, {}, 0)


def test_the_first_missing_value_is_named() -> None:
    assert lacking(STATE, {}) == "tenant_id"
    assert lacking(OBJECT, {column.name: 0 for column in OBJECT.columns} | {"file_path": None}) == "file_path"
    assert lacking(STATE, {column.name: 0 for column in STATE.columns if column.required} | {"revision": None}) == ""
