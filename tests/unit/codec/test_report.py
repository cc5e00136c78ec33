"""Structured reports as HTML."""

from __future__ import annotations

from html.parser import HTMLParser

import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file

from appliance.codec.content import content_of, moment, person
from appliance.codec.report import DEEPEST, Writer
from tests.builders.papers import coded, content, evidence, referring, structured_report

STUDY, SERIES, SOP = "1.2.3", "1.2.3.4", "1.2.3.4.5"


class Balanced(HTMLParser):
    """Fails on tags that do not close in order; gathers names and links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.seen.add(tag)
        self.links += [value or "" for name, value in attributes if name == "href"]
        assert {name for name, _ in attributes} <= {"href", "target", "rel", "dir"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(dataset: Dataset) -> tuple[str, Balanced, Writer]:
    writer = Writer(dataset, "/dicom-web")
    fragment = writer.fragment()
    parser = Balanced()
    parser.feed(fragment)
    parser.close()
    assert not parser.open
    assert not parser.seen & {"script", "style", "img", "iframe", "link"}
    return fragment, parser, writer


def measured(value: str, unit: str) -> Dataset:
    item = Dataset()
    item.NumericValue = value
    item.MeasurementUnitsCodeSequence = coded(unit, unit, "UCUM")
    return item


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (content("TEXT", TextValue="Clear lungs."), "Clear lungs."),
        (content("CODE", ConceptCodeSequence=coded("Normal")), "Normal"),
        (content("NUM", MeasuredValueSequence=[measured("12.5", "mm")]), "12.5 mm"),
        (content("NUM", MeasuredValueSequence=[measured("3", "1")]), "3"),
        (content("PNAME", PersonName="Yamada^Tarou=山田^太郎"), "Yamada Tarou (山田 太郎)"),
        (content("DATE", Date="20240229"), "2024-02-29"),
        (content("TIME", Time="101112.5"), "10:11:12"),
        (content("DATETIME", DateTime="20240229101112"), "2024-02-29 10:11:12"),
        (content("UIDREF", UID="1.2.3"), "1.2.3"),
        (content("SCOORD", GraphicType="POINT", GraphicData=[1.0, 2.5]), "point at 1, 2.5"),
        (content("SCOORD3D", GraphicType="POINT", GraphicData=[1.0, 2.5, 3]), "point at 1, 2.5, 3"),
        (content("TCOORD", TemporalRangeType="POINT", ReferencedTimeOffsets=[1.5]), "point 1.5"),
        (content("IMAGE", ReferencedSOPSequence=referring("1.2")), "CT Image"),
    ],
)
def test_every_value_type_becomes_words(item: Dataset, words: str) -> None:
    found = content_of(item)
    assert found.words == words
    assert not found.complaint


def test_titles_nest_and_text_is_escaped() -> None:
    inner = content("TEXT", "Conclusion", TextValue="<script>alert(1)</script>\r\n& more\x00\x1b")
    fragment, parser, writer = read(structured_report([content("CONTAINER", "Findings", [inner])]))
    assert "<h2" in fragment
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\n&amp; more<" in fragment
    assert not writer.complaints
    assert "h1" in parser.seen


def test_listed_evidence_is_linked_and_other_references_are_named() -> None:
    items = [
        content("IMAGE", ReferencedSOPSequence=referring(SOP, ReferencedFrameNumber=3)),
        content("IMAGE", ReferencedSOPSequence=referring("1.9")),
    ]
    fragment, parser, _ = read(evidence(structured_report(items), STUDY, SERIES, SOP))
    assert parser.links == [f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{SOP}/rendered"]
    assert "(frame 3)" in fragment
    assert "<code>1.9</code>" in fragment


def test_a_uid_that_is_none_makes_no_link() -> None:
    item = content("IMAGE", ReferencedSOPSequence=referring("1.2"))
    item.ReferencedSOPSequence[0].add_new("ReferencedSOPInstanceUID", "LO", "1.2/../../x")
    _, parser, writer = read(structured_report([item]))
    assert not parser.links
    assert "a reference names no object" in writer.complaints


def test_what_is_broken_is_said_and_the_rest_is_shown() -> None:
    items = [content(""), content("HOLOGRAM", "Odd"), content("TEXT"), content("TEXT", TextValue="Kept")]
    fragment, _, writer = read(structured_report(items))
    assert writer.complaints == {"an item has no value type that is known": 2, "an item has no value": 1}
    assert "Kept" in fragment
    assert "could not be read" in fragment


def test_nesting_without_end_is_cut_and_said() -> None:
    item = content("TEXT", TextValue="deepest")
    for _ in range(DEEPEST * 4):
        item = content("CONTAINER", children=[item])
    fragment, _, writer = read(structured_report([item]))
    assert "deepest" not in fragment
    assert any("nested" in complaint for complaint in writer.complaints)


def test_an_empty_report_says_so() -> None:
    fragment, _, _ = read(structured_report([]))
    assert "the report has no content" in fragment
    assert "Chest report" in fragment


@pytest.mark.parametrize("name", ["test-SR.dcm", "reportsi.dcm", "reportsi_with_empty_number_tags.dcm"])
def test_reports_of_the_world_can_be_read(name: str) -> None:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    fragment, _, _ = read(pydicom.dcmread(path))
    assert len(fragment) > 500


@pytest.mark.parametrize(
    ("written", "words"),
    [("Doe^Jane^^Dr", "Doe Jane Dr"), ("=山田^太郎", "山田 太郎"), ("", ""), ("A=B=C", "A (B, C)")],
)
def test_names_are_shown_in_every_script(written: str, words: str) -> None:
    assert person(written) == words


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("20240229", "2024-02-29"),
        ("202402291011", "2024-02-29 10:11"),
        ("20240229101112.5+0900", "2024-02-29 10:11:12 +0900"),
        ("yesterday", "yesterday"),
    ],
)
def test_moments_are_shown_to_read(written: str, words: str) -> None:
    assert moment(written) == words
