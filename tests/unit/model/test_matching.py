"""Attribute matching: what a query value asks, and what it must not ask."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.attributes import ATTRIBUTES, Attribute, find_attribute
from appliance.model.matching import Match, matches, parse_match


def attribute(keyword: str) -> Attribute:
    found = find_attribute(keyword)
    assert found is not None
    return found


def ask(keyword: str, text: str) -> Match:
    return parse_match(attribute(keyword), text)


@pytest.mark.parametrize(("keyword", "text", "kind", "values"), [
    ("PatientID", "P1", "exact", ("P1",)),
    ("PatientID", " P1 ", "exact", ("P1",)),
    ("PatientID", "", "empty", ()),
    ("PatientID", "**", "empty", ()),
    ("PatientID", "P*1?", "wildcard", ("P*1?",)),
    ("PatientName", "Müller^*", "wildcard", ("muller^*",)),
    ("PatientName", "DOE^JOHN^^", "exact", ("doe^john",)),
    ("PatientName", "*山*", "wildcard", ("*山*",)),
    ("PatientName", "=山田^太郎", "exact", ("山田^太郎",)),
    ("PatientName", "^^", "empty", ()),
    ("StudyDate", "20240131", "exact", ("20240131",)),
    ("StudyDate", "20240101-20240131", "range", ("20240101", "20240131")),
    ("StudyDate", "-20240131", "range", ("", "20240131")),
    ("StudyDate", "20240101-", "range", ("20240101", "")),
    ("StudyDate", "2024.01.31", "exact", ("20240131",)),
    ("StudyTime", "10", "range", ("10", "105960.999999")),
    ("StudyTime", "1000-1230", "range", ("10", "123060.999999")),
    ("StudyTime", "101530.50", "range", ("101530.5", "101530.509999")),
    ("StudyInstanceUID", "1.2,1.3\\1.4", "uids", ("1.2", "1.3", "1.4")),
    ("SeriesNumber", "+07", "exact", ("7",)),
    ("Rows", "512", "exact", ("512",)),
    ("SliceThickness", "1.50", "exact", ("1.5",)),
    ("PatientAge", "0*", "exact", ("0*",)),
])  # fmt: skip
def test_a_value_is_parsed(keyword: str, text: str, kind: str, values: tuple[str, ...]) -> None:
    match = ask(keyword, text)
    assert (match.kind, match.values) == (kind, values)


@pytest.mark.parametrize(("keyword", "text"), [
    ("StudyDate", "2024"), ("StudyDate", "20241301"), ("StudyDate", "-"), ("StudyDate", "2024*"),
    ("StudyDate", "20240101-20240131-20240201"), ("StudyTime", "25"), ("StudyTime", "-"),
    ("StudyInstanceUID", "1.2.*"), ("StudyInstanceUID", "../x"), ("StudyInstanceUID", "1.2,"),
    ("SeriesNumber", "x"), ("SeriesNumber", "9" * 40), ("SliceThickness", "nan"), ("SliceThickness", "1e999"),
    ("NumberOfStudyRelatedSeries", "1"), ("PatientID", "x" * 70000),
])  # fmt: skip
def test_a_value_that_asks_nothing_sensible_is_refused_without_being_repeated(keyword: str, text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        ask(keyword, text)
    assert keyword in str(refusal.value)
    assert len(text) < 5 or text not in str(refusal.value)


@pytest.mark.parametrize(("keyword", "text", "value", "expected"), [
    ("PatientName", "doe^john", "DOE^JOHN^", True),
    ("PatientName", "doe", "DOE^JOHN", False),
    ("PatientName", "doe*", "DOE^JOHN", True),
    ("PatientName", "山*", "Yamada^Tarou=山田^太郎", True),
    ("PatientName", "*太*", "Yamada^Tarou=山田^太郎", True),
    ("PatientName", "田*", "Yamada^Tarou=山田^太郎", False),
    ("PatientName", "müller*", "MULLER^JORG", True),
    ("PatientID", "p1", "P1", False),
    ("PatientID", "P?", "P1", True),
    ("PatientID", "P?", "P", False),
    ("StudyTime", "1000-1100", "10", True),
    ("StudyTime", "10", "105959.5", True),
    ("StudyTime", "10", "110000", False),
    ("StudyDate", "20240101-", "20231231", False),
    ("SliceThickness", "1.5", 1.5, True),
    ("Rows", "512", 512, True),
    ("PatientID", "*", None, True),
    ("PatientID", "?", None, False),
])  # fmt: skip
def test_a_row_matches_or_not(keyword: str, text: str, value: str | float | None, expected: bool) -> None:
    assert matches(ask(keyword, text), value) is expected


@given(st.sampled_from(ATTRIBUTES), st.text(max_size=30))
def test_any_text_is_parsed_or_refused_with_a_sentence(attribute: Attribute, text: str) -> None:
    try:
        match = parse_match(attribute, text)
    except ValueError as refusal:
        assert str(refusal).startswith(attribute.keyword)
        assert str(refusal).endswith(".")
        return
    matches(match, "20240131")


def test_many_asterisks_are_one_or_too_many() -> None:
    assert ask("PatientID", "a***b").values == ("a*b",)
    with pytest.raises(ValueError, match="asterisks"):
        ask("PatientID", "*a" * 9)
