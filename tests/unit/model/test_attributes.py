"""The attribute table: true to DICOM's dictionary, to the schema and to what QIDO-RS must return."""

from __future__ import annotations

from pathlib import Path

import pysqlite3
import pytest
from pydicom.datadict import dictionary_VR, keyword_for_tag

import appliance.archive
from appliance.model.attributes import (
    ATTRIBUTES,
    Attribute,
    Level,
    Source,
    by_keyword,
    by_tag,
    columns,
    find_attribute,
    header_attributes,
)

SCHEMA = Path(appliance.archive.__file__).parent / "schema" / "schema.sql"

# What else the tables hold: keys, what the archive keeps, and the folded names.
KEPT = {
    Level.STUDY: {
        "tenant", "study_uid", "patient_name_search", "referring_physician_name_search", "cloud_patient_id",
        "cloud_study_date", "modalities", "series_count", "instance_count", "received_at", "updated_at",
        "revision", "patient_id_search", "accession_number_search", "study_id_search", "study_description_search",
    },
    Level.SERIES: {
        "tenant", "study_uid", "series_uid", "instance_count", "received_at", "updated_at", "revision",
        "series_description_search",
    },
    Level.INSTANCE: {
        "tenant", "study_uid", "series_uid", "sop_uid", "version_id", "sop_class_uid", "transfer_syntax_uid",
        "received_at", "updated_at",
    },
}  # fmt: skip


def schema_columns(level: Level) -> dict[str, str]:
    """Column name to type of one table, in the schema's order."""
    connection = pysqlite3.connect(":memory:")
    try:
        connection.executescript(SCHEMA.read_text())
        rows = connection.execute(f"PRAGMA table_info({level.value})").fetchall()
    finally:
        connection.close()
    return {row[1]: row[2] for row in rows}


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda attribute: attribute.keyword)
def test_tag_keyword_and_vr_are_those_of_the_dictionary(attribute: Attribute) -> None:
    assert keyword_for_tag(attribute.tag) == attribute.keyword
    assert dictionary_VR(attribute.tag) == attribute.vr
    assert by_tag(attribute.tag) is attribute
    assert by_keyword(attribute.keyword) is attribute


@pytest.mark.parametrize("level", list(Level))
def test_the_header_columns_are_exactly_those_of_the_schema(level: Level) -> None:
    stored = [name for name in schema_columns(level) if name not in KEPT[level]]
    assert list(columns(level)) == stored


@pytest.mark.parametrize("level", list(Level))
def test_every_column_has_the_type_of_the_schema(level: Level) -> None:
    types = schema_columns(level)
    for attribute in ATTRIBUTES:
        if attribute.level is level and attribute.column:
            assert types[attribute.column] == attribute.affinity.value, attribute.keyword
    for attribute in header_attributes(level):
        if attribute.search_column:
            assert types[attribute.search_column] == "TEXT"


def test_no_attribute_stands_twice() -> None:
    assert len({attribute.tag for attribute in ATTRIBUTES}) == len(ATTRIBUTES)


# PS3.18 tables 10.6.3-3, 10.6.3-4 and 10.6.3-5; of the sequence (0040,0275) its two members are NESTED.
REQUIRED = {
    Level.STUDY: "00080020 00080030 00080050 00080056 00080061 00080090 00080201 00081190 00100010 00100020"
    " 00100030 00100040 0020000D 00200010 00201206 00201208",
    Level.SERIES: "00080060 0008103E 0020000E 00200011 00201209 00400244 00400245",
    Level.INSTANCE: "00080016 00080018 00083002 00200013 00280010 00280011 00280100 00280008",
}


@pytest.mark.parametrize("level", list(Level))
def test_what_the_standard_returns_unasked_is_returned(level: Level) -> None:
    returned = {a.tag_text for a in ATTRIBUTES if a.returned and (a.level is level)}
    assert set(REQUIRED[level].split()) <= returned


def test_an_attribute_is_found_by_keyword_or_tag() -> None:
    assert find_attribute("PatientID") is find_attribute("00100020") is by_tag(0x00100020)
    assert find_attribute("0008103e") is by_keyword("SeriesDescription")
    assert find_attribute("PixelData") is None
    assert find_attribute("FFFFFFFF") is None


def test_only_what_is_answered_on_the_fly_has_no_column() -> None:
    for attribute in ATTRIBUTES:
        assert bool(attribute.column) is (attribute.source is not Source.ANSWER)
