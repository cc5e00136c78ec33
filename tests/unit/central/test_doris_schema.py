"""The shipped SQL has a column for every field, of its type and its length in bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from appliance.central.doris_schema import doris_ddl, routine_load_sql
from appliance.central.tables import FIELDS, TABLES
from appliance.central.targets import Kind
from appliance.errors import ConfigurationError
from appliance.model.cloud import TOPICS
from appliance.model.cloud_fields import Field
from appliance.model.cloud_fields import Kind as Written
from tests.partners.doris.ddl import Column, Table, parse

TYPES = {
    Written.IDENTIFIER: "VARCHAR",
    Written.TEXT: "VARCHAR",
    Written.COMPACT_DATE: "VARCHAR",
    Written.TIME: "VARCHAR",
    Written.DATE: "DATE",
    Written.MOMENT: "DATETIME",
    Written.I32: "INT",
    Written.I64: "BIGINT",
    # One size up: Doris has no unsigned numbers.
    Written.U16: "INT",
    Written.U64: "LARGEINT",
    Written.F64: "DOUBLE",
}
SERIES = ("tenant_id", "patient_id", "study_uid", "series_uid")
KEYS = {
    "dicom_state_meta": SERIES,
    "dicom_image_meta": (*SERIES, "sop_uid"),
    "dicom_object_meta": ("tenant_id", "trace_id"),
    "dicom_access_log": ("tenant_id", "request_id"),
    "dicom_transcode_log": ("tenant_id", "trace_id", "frame", "fault"),
}


@dataclass(frozen=True)
class Layout:
    """An installation."""

    database: str = "clinic"
    buckets: int = 7
    replication: int = 3


def tables(form: str) -> dict[str, Table]:
    """The tables of a form, by name."""
    return {table.name: table for table in parse(doris_ddl(Layout(), form))}  # type: ignore[arg-type]


def expected(field: Field) -> Column:
    """The column that a field needs."""
    size = 6 if field.kind is Written.MOMENT else field.limit
    default = "0" if field.name == "revision" else None
    return Column(field.name, TYPES[field.kind], size, field.default is None, default)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_field_has_a_column_that_takes_all_its_values(kind: Kind) -> None:
    table = tables("ours")[TABLES[kind]]
    assert {column.name: column for column in table.columns} == {field.name: expected(field) for field in FIELDS[kind]}


@pytest.mark.parametrize("name", list(KEYS))
def test_every_table_keeps_one_row_a_key_and_the_newest_revision(name: str) -> None:
    table = tables("ours")[name]
    assert (table.model, table.keys) == ("UNIQUE", KEYS[name])
    assert table.sequence == ("revision" if "revision" in {column.name for column in table.columns} else "")
    assert table.properties["enable_unique_key_merge_on_write"] == "true"


def test_no_tenant_can_replace_a_row_of_another() -> None:
    assert all(table.keys[0] == "tenant_id" for table in tables("ours").values())


def test_our_tables_are_these() -> None:
    assert set(tables("ours")) == set(KEYS) == set(TABLES.values())


@pytest.mark.parametrize("form", ["ours", "upstream"])
def test_database_buckets_and_copies_are_the_installations(form: str) -> None:
    for table in tables(form).values():
        assert (table.database, table.buckets, table.properties["replication_num"]) == ("clinic", 7, "3")


def test_the_upstream_form_doubles_objects_and_knows_no_revision() -> None:
    found = tables("upstream")
    assert found["dicom_object_meta"].model == "DUPLICATE" and set(found) == {*list(KEYS)[:3]}
    assert not any(table.sequence or "revision" in {c.name for c in table.columns} for table in found.values())


@pytest.mark.parametrize("kind", [Kind.STATE, Kind.IMAGE, Kind.LOG])
def test_the_upstream_form_takes_every_value_of_our_records(kind: Kind) -> None:
    table = tables("upstream")[TABLES[kind]]
    for field in FIELDS[kind]:
        if field.name not in ("revision", "digest"):
            column = table.column(field.name)
            assert column.type == TYPES[field.kind] and (column.type == "DATETIME" or column.size >= field.limit)
            assert column.nullable or field.default is not None


def test_routine_load_reads_every_topic_but_the_one_for_postgresql() -> None:
    sql = routine_load_sql(Layout(), ["k1.example:9093", "k2.example:9093"])
    assert sorted(re.findall(r'"kafka_topic" = "(\w+)"', sql)) == sorted(set(TOPICS) - {"storage_queue"})
    assert set(re.findall(r"_load` ON `(\w+)`", sql)) == set(KEYS)
    assert sql.count('"kafka_broker_list" = "k1.example:9093,k2.example:9093"') == len(KEYS)
    assert (
        "$" not in sql and 'kafka_partitions"' not in sql and sql.count('"property.group.id" = "clinic_') == len(KEYS)
    )


def test_routine_load_reads_topics_of_other_names() -> None:
    assert '"kafka_topic" = "images-eu"' in routine_load_sql(Layout(), ["k:9092"], {"image": "images-eu"})


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a`; DROP DATABASE b; --", "a" * 65])
def test_a_name_that_is_none_never_gets_into_sql(name: str) -> None:
    with pytest.raises(ConfigurationError):
        doris_ddl(Layout(database=name))


def test_brokers_and_topics_cannot_leave_their_quotes() -> None:
    with pytest.raises(ConfigurationError):
        routine_load_sql(Layout(), ['k:1" = "'])
    with pytest.raises(ConfigurationError):
        routine_load_sql(Layout(), ["k:9092"], {"log": 'x");'})
