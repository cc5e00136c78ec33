"""The DICOM JSON model from index values."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.dicomweb.dicom_json import from_index, person_name, row_document
from appliance.model.attributes import ATTRIBUTES, find_attribute


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        (
            "PatientName",
            "Yamada^Taro=山田^太郎=やまだ",
            {"Alphabetic": "Yamada^Taro", "Ideographic": "山田^太郎", "Phonetic": "やまだ"},
        ),
        ("PatientName", "=山田^太郎", {"Ideographic": "山田^太郎"}),
        ("SeriesNumber", 3, 3),
        ("PatientWeight", 70.5, 70.5),
        ("PatientWeight", 70.0, 70),
        ("StudyDate", "20240131", "20240131"),
        ("WindowCenter", "40", 40),
    ],
)
def test_index_values_become_json_values(keyword: str, value: str | int | float, expected: Any) -> None:
    attribute = find_attribute(keyword)
    assert attribute is not None
    assert from_index(attribute, value) == {"vr": attribute.vr, "Value": [expected]}


def test_several_values_are_split_and_empty_ones_are_null() -> None:
    image_type, modalities = find_attribute("ImageType"), find_attribute("ModalitiesInStudy")
    assert image_type is not None
    assert modalities is not None
    assert from_index(image_type, "ORIGINAL\\\\AXIAL")["Value"] == ["ORIGINAL", None, "AXIAL"]
    assert from_index(modalities, "CT\\SR")["Value"] == ["CT", "SR"]


def test_absent_values_have_no_value_member() -> None:
    for value in (None, ""):
        assert row_document(ATTRIBUTES, {"PatientID": value}) == {"00100020": {"vr": "LO"}}
    assert person_name("==") is None


def test_members_stand_in_the_order_of_their_tags() -> None:
    row = {attribute.keyword: "1" for attribute in ATTRIBUTES}
    assert list(row_document(ATTRIBUTES, row)) == sorted(row_document(ATTRIBUTES, row))
