"""The study list: what people type finds what they mean, and names read as people write them."""

from __future__ import annotations

import pytest

from appliance.web.worklist import (
    BadEntry,
    Whereabouts,
    badges,
    form_query,
    read_form,
    shown_date,
    shown_moment,
    shown_name,
    shown_time,
)


def asked(**values: str) -> list[tuple[str, tuple[str, ...]]]:
    query = form_query(read_form(values))
    return [(match.attribute.keyword, match.values) for match in query.matches]


def test_words_match_anywhere_in_any_order() -> None:
    assert asked(name="  Zhang^  Sán ") == [("PatientName", ("*zhang*",)), ("PatientName", ("*san*",))]
    assert asked(name="山") == [("PatientName", ("*山*",))]
    assert asked(description="Schädel CT") == [("StudyDescription", ("*schadel*",)), ("StudyDescription", ("*ct*",))]


def test_dates_may_be_open_at_either_end() -> None:
    assert asked(date_from="2024-01-31") == [("StudyDate", ("20240131", ""))]
    assert asked(date_to="20240131") == [("StudyDate", ("", "20240131"))]
    assert asked(date_from="2024-01-01", date_to="2024-01-31") == [("StudyDate", ("20240101", "20240131"))]


@pytest.mark.parametrize("text", ["yesterday", "2024-13-45", "31.01.2024", "2023-02-29", "0000-01-01"])
def test_what_is_no_date_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadEntry, match="is no date") as caught:
        asked(date_from=text)
    assert caught.value.values == {"entry": text}


def test_other_mistakes_are_not_called_dates() -> None:
    with pytest.raises(BadEntry, match="later than the last"):
        asked(date_from="2024-02-01", date_to="2024-01-31")
    with pytest.raises(BadEntry, match="cannot be searched for"):
        asked(accession="*a*b*c*d*e*f*g*h*i*")
    with pytest.raises(BadEntry, match="cannot be searched for"):
        asked(name="a b c d e f g h i")


def test_identifiers_and_modalities() -> None:
    assert asked(patient_id="P1", accession="A2") == [("PatientID", ("*p1*",)), ("AccessionNumber", ("*a2*",))]
    assert form_query(read_form({"modality": "ct, mr"})).modalities_in_study == ("CT", "MR")


@pytest.mark.parametrize(("page", "offset"), [("", 0), ("1", 0), ("3", 50), ("-1", 0), ("x", 0), ("9" * 20, 0)])
def test_pages_start_at_one(page: str, offset: int) -> None:
    assert form_query(read_form({"page": page})).offset == offset


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Doe^Jane", "Doe Jane"),
        ("Yamada^Taro=山田^太郎=やまだ^たろう", "山田 太郎 (Yamada Taro)"),
        ("=山田^太郎", "山田 太郎"),
        ("^^^", ""),
        (None, ""),
    ],
)
def test_names_read_as_people_write_them(value: str | None, shown: str) -> None:
    assert shown_name(value) == shown


def test_dates_and_times_are_shown_or_left_as_they_are() -> None:
    assert (shown_date("20240131"), shown_date("odd"), shown_date(None)) == ("2024-01-31", "odd", "")
    assert (shown_time("101530.5"), shown_time("10"), shown_time(None)) == ("10:15", "10", "")
    assert shown_moment(0, "Asia/Shanghai") == "1970-01-01 08:00:00"


MINUTE = 61_000_000
STUDY: dict[str, int] = {"updated_at": 0, "NumberOfStudyRelatedInstances": 5}


def test_badges_say_what_is_held_growing_and_sent() -> None:
    held, partly, sent = badges(STUDY, Whereabouts(sent={"centre": 2, "disk": 7}), MINUTE, "UTC")
    assert (held.kind, partly.kind, sent.kind) == ("held", "partly", "sent")
    assert partly.values == {"sent": 2, "total": 5, "sink": "centre"}
    (growing,) = badges(STUDY, Whereabouts(), 59_000_000, "Asia/Shanghai")
    assert (growing.kind, growing.values) == ("receiving", {"time": "08:00:00"})


def test_sent_is_confirmed_once_every_image_was_read_back() -> None:
    for proven, text in ((4, "all sent to {sink}"), (5, "confirmed at {sink}")):
        where = Whereabouts(sent={"centre": 5}, proven={"centre": proven})
        assert badges(STUDY, where, MINUTE, "UTC")[-1].text == text


def test_what_is_not_held_is_never_called_held() -> None:
    lost = badges(STUDY, Whereabouts(lost=2), 59_000_000, "UTC")
    assert [badge.kind for badge in lost] == ["receiving", "lost"]
    assert (lost[1].text, lost[1].values) == ("{lost} of {total} lost on this box", {"lost": 2, "total": 5})
    (partly,) = badges(STUDY, Whereabouts(at_centre=2), MINUTE, "UTC")
    assert (partly.kind, partly.text) == ("centre", "{count} of {total} at the centre")
    (wholly,) = badges(STUDY, Whereabouts(at_centre=5), MINUTE, "UTC")
    assert (wholly.kind, wholly.text) == ("centre", "at the centre")
    assert [badge.kind for badge in badges(STUDY, Whereabouts(1, 4), MINUTE, "UTC")] == ["lost", "centre"]


def test_contents_that_contradict_each_other_are_told() -> None:
    conflict = badges(STUDY, Whereabouts(contested=1), MINUTE, "UTC")[-1]
    assert (conflict.kind, conflict.values) == ("conflict", {"count": 1})
