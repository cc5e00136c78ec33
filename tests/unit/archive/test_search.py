"""Searches: the SQL means what model.matching says, sees one tenant, and uses its indexes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import appliance.archive
from appliance.archive.database import Database
from appliance.archive.search import Search, statement
from appliance.model.attributes import Level, find_attribute
from appliance.model.matching import Match, Query, Zones, matches, parse_match
from appliance.model.names import fold, name_search

SCHEMA = Path(appliance.archive.__file__).parent / "schema" / "schema.sql"

NAMES = [
    "DOE^JOHN",
    "Doe^Jane",
    "YAMADA^TARO=山田^太郎=やまだ^たろう",
    "ZHANG^SAN=张^三",
    "MÜLLER^JÖRG",
    "A[B]^C%_",
    None,
]
DATES = ["20240101", "20240131", "20231231", None]
ZONES = ["+0800", "-0500", "+0000", "0800", None]
FOLDED = ("patient_id", "accession_number", "study_description")
TIMES = ["10", "101530", "101530.5", "235959", None]


def _row(index: int, tenant: str = "default", **values: Any) -> dict[str, Any]:
    name = values.get("patient_name")
    return {
        "tenant": tenant, "study_uid": f"1.2.{index}", "cloud_patient_id": "x", "cloud_study_date": "x",
        "modalities": "CT", "series_count": 1, "instance_count": 1, "received_at": index, "updated_at": index,
        "revision": index, "patient_name_search": name_search(name) if name else None,
        **{f"{column}_search": fold(values[column]) if values.get(column) else None for column in FOLDED},
    } | values  # fmt: skip


def insert(database: Database, table: str, row: dict[str, Any]) -> None:
    with database.write() as cx:
        marks = ", ".join("?" * len(row))
        cx.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


def _series(database: Database, study: str, series: str, modality: str, tenant: str = "default") -> None:
    insert(database, "series", {
        "tenant": tenant, "study_uid": study, "series_uid": series, "modality": modality, "series_number": 1,
        "instance_count": 1, "received_at": 1, "updated_at": 1, "revision": 1,
    })  # fmt: skip


DESCRIPTIONS = ["Röntgen THORAX", "CT [Kopf]", "x*ray", None]


def _studies() -> list[dict[str, Any]]:
    rows = []
    for index in range(60):
        rows.append(_row(
            index,
            patient_name=NAMES[index % len(NAMES)], study_date=DATES[index % len(DATES)],
            study_time=TIMES[index % len(TIMES)], patient_id=f"P{index % 9}" if index % 4 else None,
            accession_number="A[1]" if index % 3 else "a*1", patient_weight=float(index),
            modalities="CT\\SR" if index % 2 else "MR", study_description=DESCRIPTIONS[index % 4],
            timezone_offset=ZONES[index % len(ZONES)],
        ))  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(tmp_path_factory.mktemp("search") / "index.db")
    with database.write() as cx:
        for sql in SCHEMA.read_text().split(";\n"):
            cx.execute(sql)
    for row in _studies():
        insert(database, "study", row)
    insert(database, "study", _row(1, tenant="other", patient_name="DOE^OTHER", study_date="20240101"))
    _series(database, "1.2.1", "1.2.1.1", "CT")
    _series(database, "1.2.1", "1.2.1.2", "SR")
    _series(database, "1.2.2", "1.2.2.1", "MR")
    yield database
    database.close()


def _match(keyword: str, text: str) -> Match:
    attribute = find_attribute(keyword)
    assert attribute is not None
    return parse_match(attribute, text)


def _fuzzy(keyword: str, text: str) -> Match:
    attribute = find_attribute(keyword)
    assert attribute is not None
    return parse_match(attribute, text, fuzzy=True)


def _found(database: Database, *given: tuple[str, str], **more: Any) -> list[str]:
    query = Query(Level.STUDY, tuple(_match(*pair) for pair in given), limit=1000, **more)
    return [str(row["StudyInstanceUID"]) for row in Search(database, "default").find(query)]


QUERIES = {
    "PatientName": [
        "DOE^JOHN",
        "doe*",
        "*山*",
        "太?",
        "*三",
        "muller*",
        "*[B]*",
        "C%",
        "*_*",
        "*",
        "张^三",
        "?OE*",
        "",
    ],
    "StudyDate": ["20240101", "20240101-20240131", "-20231231", "20240102-", ""],
    "StudyTime": ["10", "101530", "10-11", "-1015", "1016-"],
    "PatientID": ["P1", "P?", "*1", "p1", "P[1]"],
    "AccessionNumber": ["A[1]", "A[*", "a*1", "?[1]"],
    "PatientWeight": ["7", "7.5"],
    "StudyInstanceUID": ["1.2.3", "1.2.3,1.2.4\\1.2.5"],
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_sql_agrees_with_the_meaning_of_matching(database: Database, data: st.DataObject) -> None:
    keywords = data.draw(st.lists(st.sampled_from(sorted(QUERIES)), unique=True, max_size=3))
    if {"StudyDate", "StudyTime"} <= set(keywords):
        keywords.remove("StudyTime")
    chosen = [_match(word, data.draw(st.sampled_from(QUERIES[word]))) for word in keywords]
    query = Query(Level.STUDY, tuple(chosen), limit=1000)
    found = {row["StudyInstanceUID"] for row in Search(database, "default").find(query)}
    expected = {
        row["study_uid"]
        for row in _studies()
        if all(matches(match, row.get(match.attribute.column)) for match in chosen)
    }
    assert found == expected


@given(st.text(alphabet="ADO*?[]%_^-=山", min_size=1, max_size=6))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_pattern_means_more_in_sql_than_in_dicom(database: Database, text: str) -> None:
    match = _match("PatientName", text)
    found = set(_found(database, ("PatientName", text)))
    assert found == {row["study_uid"] for row in _studies() if matches(match, row["patient_name"])}


FUZZY = {
    "PatientName": [
        "doe",
        "john DOE",
        "jo d",
        "mul jorg",
        "Müller",
        "san",
        "山",
        "太郎 yama",
        "oe",
        "%",
        "[B]",
        "c%_",
        "?oe",
    ],
    "StudyDescription": ["*rontgen*", "ct [KOPF]", "CT ?kopf?", "x*ray", "*[k]*", "THORAX"],
    "PatientID": ["p1", "P?"],
    "AccessionNumber": ["a[1]", "?[1]", "A\\*1"],
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_fuzzy_sql_agrees_with_the_meaning_of_matching(database: Database, data: st.DataObject) -> None:
    keywords = data.draw(st.lists(st.sampled_from(sorted(FUZZY)), unique=True, min_size=1, max_size=2))
    chosen = [_fuzzy(word, data.draw(st.sampled_from(FUZZY[word]))) for word in keywords]
    found = {row["StudyInstanceUID"] for row in Search(database, "default").find(Query(Level.STUDY, tuple(chosen)))}
    expected = {
        row["study_uid"]
        for row in _studies()
        if all(matches(match, row.get(match.attribute.column)) for match in chosen)
    }
    assert found == expected


@given(st.text(alphabet="ADOé.'-= ^[]%_山三", min_size=1, max_size=6))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_word_means_more_in_sql_than_in_matching(database: Database, text: str) -> None:
    match = _fuzzy("PatientName", text)
    rows = Search(database, "default").find(Query(Level.STUDY, (match,)))
    expected = {row["study_uid"] for row in _studies() if matches(match, row["patient_name"])}
    assert {row["StudyInstanceUID"] for row in rows} == expected


def _minutes(zone: str | None, assumed: int) -> int:
    if zone is None or zone[0] not in "+-":
        return assumed
    return (-1 if zone[0] == "-" else 1) * (int(zone[1:3]) * 60 + int(zone[3:]))


def _in_zone(row: dict[str, Any], zones: Zones) -> tuple[str, str]:
    """Date and time of a row in the zone asked for, padded to the second."""
    date, time = row["study_date"], row["study_time"]
    clock = (time.split(".")[0] + "000000")[:6]
    moment = datetime.strptime(date + clock, "%Y%m%d%H%M%S")
    moment += timedelta(minutes=zones.asked - _minutes(row["timezone_offset"], zones.assumed))
    return f"{moment:%Y%m%d}", f"{moment:%H%M%S}"


@pytest.mark.parametrize("zones", [Zones(0), Zones(480, -300), Zones(-720, 840), Zones(330)])
@pytest.mark.parametrize("days", ["20240101", "20231231-20240101", "-20231231", "20240102-"])
def test_days_of_another_time_zone_are_other_moments(database: Database, zones: Zones, days: str) -> None:
    found = set(_found(database, ("StudyDate", days), zones=zones))
    low, _, high = days.partition("-") if "-" in days else (days, "-", days)
    expected = set()
    for row in _studies():
        if row["study_date"] is None:
            continue
        day = _in_zone(row, zones)[0] if row["study_time"] else row["study_date"]
        if (not low or day >= low) and (not high or day <= high):
            expected.add(row["study_uid"])
    assert found == expected != set()


def test_days_and_times_of_another_time_zone(database: Database) -> None:
    zones = Zones(-300, 0)
    found = set(_found(database, ("StudyDate", "20231231-20240131"), ("StudyTime", "0300-0700"), zones=zones))
    expected = set()
    for row in _studies():
        if row["study_date"] and row["study_time"]:
            if ("20231231", "030000") <= _in_zone(row, zones) <= ("20240131", "070059"):
                expected.add(row["study_uid"])
        elif row["study_date"] and "20231231" <= row["study_date"] <= "20240131":
            expected.add(row["study_uid"])
    assert found == expected != set()


def test_a_search_between_time_zones_uses_the_index_of_dates(database: Database) -> None:
    query = Query(Level.STUDY, (_match("StudyDate", "20240101"),), zones=Zones(480))
    sql, values = statement(query, "default", "*")
    with database.read() as cx:
        plan = " | ".join(str(row[3]) for row in cx.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall())
    assert "study_by_date" in plan


def test_names_are_found_by_one_or_two_ideographs(database: Database) -> None:
    one, two = (set(_found(database, ("PatientName", text))) for text in ("*山*", "*山田*"))
    assert one == two != set()


def test_date_and_time_ranges_together_are_one_range_of_moments(database: Database) -> None:
    found = _found(database, ("StudyDate", "20231231-20240101"), ("StudyTime", "1015-11"))
    rows = {row["study_uid"]: (row.get("study_date"), row.get("study_time")) for row in _studies()}
    expected = {
        uid
        for uid, (date, time) in rows.items()
        if date and time and ("20231231", "1015") <= (date, time) <= ("20240101", "115960.999999")
    }
    assert set(found) == expected
    assert any(rows[uid][1] == "235959" for uid in found)


def test_another_tenant_is_never_seen(database: Database) -> None:
    assert _found(database, ("PatientName", "DOE^OTHER")) == []
    assert len(Search(database, "other").find(Query(Level.STUDY))) == 1


def test_pages_follow_one_another_without_gap_or_overlap(database: Database) -> None:
    search = Search(database, "default")
    everything = search.find(Query(Level.STUDY, limit=1000))
    queries = [Query(Level.STUDY, limit=7, offset=start) for start in range(0, 60, 7)]
    pages = [row for query in queries for row in search.find(query)]
    assert pages == everything
    dates = [row["StudyDate"] for row in everything if row["StudyDate"]]
    assert dates == sorted(dates, key=str, reverse=True)
    assert search.count(Query(Level.STUDY, limit=7, offset=50)) == 60


def test_modalities_in_study_match_any_of_the_list(database: Database) -> None:
    assert len(_found(database, modalities_in_study=("SR",))) == 30
    assert len(_found(database, modalities_in_study=("SR", "MR"))) == 60
    assert _found(database, modalities_in_study=("S",)) == []


def test_series_match_and_answer_attributes_of_their_study(database: Database) -> None:
    query = Query(Level.SERIES, (_match("Modality", "CT"), _match("PatientWeight", "1")), limit=10)
    search = Search(database, "default")
    rows = search.find(query)
    assert [(row["SeriesInstanceUID"], row["ModalitiesInStudy"]) for row in rows] == [("1.2.1.1", "CT\\SR")]
    within = search.find(Query(Level.SERIES, study_uid="1.2.1"))
    assert [row["SeriesInstanceUID"] for row in within] == ["1.2.1.1", "1.2.1.2"]


def test_a_study_search_refuses_an_attribute_below_it(database: Database) -> None:
    with pytest.raises(ValueError, match="Modality cannot be matched"):
        Search(database, "default").find(Query(Level.STUDY, (_match("Modality", "CT"),)))


PLANS = [
    (Level.STUDY, ("PatientID", "P1"), {}, "study_by_patient"),
    (Level.STUDY, ("AccessionNumber", "A1"), {}, "study_by_accession"),
    (Level.STUDY, ("StudyDate", "20240101-20240102"), {}, "study_by_date"),
    (Level.STUDY, ("StudyInstanceUID", "1.2.3"), {}, "sqlite_autoindex_study"),
    (Level.SERIES, ("PatientID", "P1"), {}, "study_by_patient"),
    (Level.SERIES, ("Modality", "CT"), {"study_uid": "1.2"}, "sqlite_autoindex_series"),
    (Level.INSTANCE, ("SOPInstanceUID", "1.2.3"), {}, "sqlite_autoindex_instance"),
    (Level.INSTANCE, ("InstanceNumber", "1"), {"study_uid": "1", "series_uid": "2"}, "instance_by_series"),
]


@pytest.mark.parametrize(("level", "asked", "within", "index"), PLANS)
def test_searches_use_their_index(
    database: Database, level: Level, asked: tuple[str, str], within: dict[str, str], index: str
) -> None:
    query = Query(level, (_match(*asked),), **within)  # type: ignore[arg-type]
    sql, values = statement(query, "default", "*")
    with database.read() as cx:
        plan = " | ".join(str(row[3]) for row in cx.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall())
    assert index in plan
    assert "SCAN" not in plan
