"""QIDO-RS parameters: what they ask, what they may not ask, and what is answered unasked."""

from __future__ import annotations

import pytest

from appliance.dicomweb.params import BadParameter, SearchRequest, parse_search
from appliance.model.attributes import Level
from appliance.model.matching import Zones


def parse(text: str, level: Level = Level.STUDY, **more: str) -> SearchRequest:
    pairs = [tuple(pair.split("=", 1)) for pair in text.split("&") if pair]
    return parse_search(level, pairs, max_results=100, **more)  # type: ignore[arg-type]


def keywords(request: SearchRequest) -> set[str]:
    return {attribute.keyword for attribute in request.attributes}


def test_keywords_and_tags_in_any_case_mean_the_same() -> None:
    for name in ("PatientID", "00100020"):
        (match,) = parse(f"{name}=X").query.matches
        assert (match.attribute.keyword, match.values) == ("PatientID", ("X",))
    (match,) = parse("0020000d=1.2,3.4").query.matches
    assert match.values == ("1.2", "3.4")


def test_the_worklist_of_a_common_viewer() -> None:
    request = parse(
        "limit=101&offset=0&fuzzymatching=false&includefield=00081030,00080060,00080090,00100030"
        "&PatientName=*DOE*&ModalitiesInStudy=CT,MR&StudyDate=20240101-20240131"
    )
    assert request.warnings == ()
    assert request.query.limit == 100
    assert request.query.modalities_in_study == ("CT", "MR")
    wanted = {
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "ReferringPhysicianName",
        "ModalitiesInStudy",
        "StudyDescription",
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyID",
        "StudyInstanceUID",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
        "RetrieveURL",
    }
    assert wanted <= keywords(request)


def test_a_search_across_studies_answers_the_attributes_of_the_levels_above() -> None:
    assert "PatientName" in keywords(parse("", Level.SERIES))
    within = keywords(parse("", Level.SERIES, study_uid="1.2"))
    assert "PatientName" not in within
    assert {"StudyInstanceUID", "SeriesInstanceUID", "Modality"} <= within
    deep = keywords(parse("", Level.INSTANCE, study_uid="1.2", series_uid="3.4"))
    assert "Modality" not in deep
    assert {"SOPInstanceUID", "Rows"} <= deep


def test_includefield_adds_one_or_all() -> None:
    assert "PatientWeight" not in keywords(parse(""))
    assert "PatientWeight" in keywords(parse("includefield=PatientWeight"))
    assert {"PatientWeight", "IssuerOfPatientID"} <= keywords(parse("includefield=PatientWeight&includefield=00100021"))
    assert {"PatientWeight", "IssuerOfPatientID"} <= keywords(parse("includefield=all"))
    assert "PatientAge" in keywords(parse("PatientAge=030Y"))


def test_what_cannot_be_matched_is_ignored_with_a_warning() -> None:
    for name in ("PatientComments", "00104000", "Modality", "99990010", "00400275.00400007"):
        request = parse(f"{name}=x")
        assert request.query.matches == ()
        assert len(request.warnings) == 1
        assert name in request.warnings[0]


@pytest.mark.parametrize("text", ["fuzzymatching=true&PatientName=DOE jo", "PatientName=DOE jo&fuzzymatching=true"])
def test_fuzzy_matching_asks_for_the_beginnings_of_words(text: str) -> None:
    request = parse(text)
    (match,) = request.query.matches
    assert (match.kind, match.values, request.warnings) == ("words", ("doe", "jo"), ())


def test_a_time_zone_counts_for_the_whole_query() -> None:
    for text, minutes in (("+0800", 480), (" 0800", 480), ("-0330", -210), ("+0000", 0)):
        zones = parse(f"StudyDate=20240101&TimezoneOffsetFromUTC={text}", assumed_minutes=60).query.zones  # type: ignore[arg-type]
        assert zones == Zones(minutes, 60)
    assert parse("StudyDate=20240101").query.zones is None


def test_attributes_within_the_request_sequence_are_asked_for_by_path() -> None:
    for name in ("RequestAttributesSequence.ScheduledProcedureStepID", "00400275.00400009"):
        (match,) = parse(f"{name}=SPS1", Level.SERIES).query.matches
        assert (match.attribute.column, match.values) == ("scheduled_procedure_step_id", ("SPS1",))
    assert "RequestAttributesSequence.RequestedProcedureID" in keywords(parse("", Level.SERIES))
    assert parse("RequestAttributesSequence.RequestedProcedureDescription=x", Level.SERIES).warnings


@pytest.mark.parametrize(
    "text",
    [
        "limit=-1",
        "limit=x",
        "offset=1.5",
        "fuzzymatching=maybe",
        "TimezoneOffsetFromUTC=0800",
        "TimezoneOffsetFromUTC=+1500",
        "fuzzymatching=true&PatientName=a b c d e f g h i",
        "NoSuchAttribute=1",
        "includefield=Nonsense",
        "StudyDate=yesterday",
        "StudyInstanceUID=abc",
        "PatientName=" + "x" * 5000,
        "&".join(["PatientID=1"] * 101),
    ],
)
def test_a_bad_parameter_is_refused_without_repeating_its_value(text: str) -> None:
    with pytest.raises(BadParameter) as caught:
        parse(text)
    assert "yesterday" not in str(caught.value)
    assert "abc" not in str(caught.value)


def test_limits_have_a_ceiling() -> None:
    assert parse("limit=0").query.limit == 0
    assert parse("limit=7&offset=3").query.limit == 7
    assert parse("limit=999999").query.limit == 100
