"""The study list: what a person types, as a query of the model; what was found, as a person reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from appliance.model.attributes import Level, find_attribute
from appliance.model.matching import Match, Query, parse_match
from appliance.model.records import Value

PAGE_ROWS: Final = 25
MOST_PAGES: Final = 100_000
RECEIVING_SECONDS: Final = 60
LONGEST: Final = 128
FIELDS: Final = ("name", "patient_id", "accession", "description", "date_from", "date_to", "modality")
MOST_WORDS: Final = 8
# The fields that people type words into, and what those are looked for in.
_WORDS: Final[Mapping[str, str]] = MappingProxyType({
    "name": "PatientName", "patient_id": "PatientID", "accession": "AccessionNumber",
    "description": "StudyDescription",
})  # fmt: skip
_DAY: Final = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")


NO_DATE: Final = "{entry} is no date; choose one, or write it as 2024-01-31."
SWAPPED: Final = "The first date is later than the last."
UNSEARCHABLE: Final = "A field holds something that cannot be searched for."
MISTAKES: Final = (NO_DATE, SWAPPED, UNSEARCHABLE)


class BadEntry(ValueError):
    """A field of the form cannot be searched for: `text` is a sentence of the pages, filled in with `values`."""

    def __init__(self, sentence: str, **values: str) -> None:
        super().__init__(sentence)
        self.text = sentence
        self.values = values


@dataclass(frozen=True, slots=True)
class Form:
    """The search form as it was filled in; `page` counts from 1."""

    values: Mapping[str, str]
    page: int = 1

    @property
    def filled(self) -> bool:
        """Whether anything was asked for."""
        return any(self.values.values())


def read_form(arguments: Mapping[str, str]) -> Form:
    """Return the form of a request's arguments; a bad page number counts as 1."""
    values = {name: arguments.get(name, "").strip()[:LONGEST] for name in FIELDS}
    page = arguments.get("page", "1")
    number = int(page) if page.isdecimal() and len(page) < 7 else 1
    return Form(values, min(max(number, 1), MOST_PAGES))


def form_query(form: Form) -> Query:
    """Return the query of a form. Raises BadEntry.

    Words match anywhere and in any order, in any of a name's scripts, without regard to case and accents.
    """
    values = form.values
    asked = [(keyword, f"*{word}*") for name, keyword in _WORDS.items() for word in _words(values[name])]
    asked.append(("StudyDate", _days(values["date_from"], values["date_to"])))
    matches = tuple(_match(keyword, text) for keyword, text in asked if text)
    modalities = tuple(values["modality"].upper().replace(",", " ").split())
    offset = (form.page - 1) * PAGE_ROWS
    return Query(Level.STUDY, matches, limit=PAGE_ROWS, offset=offset, fuzzy=True, modalities_in_study=modalities)


def _words(text: str) -> list[str]:
    words = text.replace("^", " ").replace(",", " ").split()
    if len(words) > MOST_WORDS:
        raise BadEntry(UNSEARCHABLE)
    return words


def _match(keyword: str, text: str) -> Match:
    attribute = find_attribute(keyword)
    assert attribute is not None
    try:
        return parse_match(attribute, text, fuzzy=True)
    except ValueError:
        raise BadEntry(UNSEARCHABLE) from None


def _days(first: str, last: str) -> str:
    if not first and not last:
        return ""
    low, high = _day(first), _day(last)
    if low and high and low > high:
        raise BadEntry(SWAPPED)
    return f"{low}-{high}"


def _day(text: str) -> str:
    found = _DAY.fullmatch(text)
    if found is not None:
        with suppress(ValueError):
            date(*map(int, found.groups()))
            return "".join(found.groups())
    if text:
        raise BadEntry(NO_DATE, entry=text)
    return ""


def shown_name(value: Value) -> str:
    """Return a person name as people read it: the native script first, the Latin one in brackets."""
    groups = [re.sub(r"[\s^]+", " ", group).strip() for group in str(value or "").split("\\")[0].split("=")]
    latin, native = [*groups, "", ""][:2]
    return f"{native} ({latin})" if native and latin else native or latin


def shown_date(value: Value) -> str:
    """Return a DA value as 2024-01-31, or as it is when it is none."""
    text = str(value or "")
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if re.fullmatch(r"[0-9]{8}", text) else text


def shown_time(value: Value) -> str:
    """Return a TM value as 10:15, or as it is when it is none."""
    text = str(value or "")
    return f"{text[:2]}:{text[2:4]}" if re.match(r"[0-9]{4}", text) else text


def shown_moment(microseconds: Value, zone: str) -> str:
    """Return a moment in the appliance's time zone, to the second."""
    moment = datetime.fromtimestamp(int(microseconds or 0) / 1_000_000, UTC)
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True, slots=True)
class Badge:
    """A short statement of a study's state; `kind` is its CSS class, `text` is translated with `values`."""

    kind: str
    text: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """How many instances of a study are where.

    `lost` have no bytes on this box, those `at_centre` neither, but others are proven to hold them; `contested`
    contents wait for a choice; `sent` and `proven` count by sink what was delivered, and what was read back from there
    and is the same.
    """

    lost: int = 0
    at_centre: int = 0
    contested: int = 0
    sent: Mapping[str, int] = field(default_factory=dict)
    proven: Mapping[str, int] = field(default_factory=dict)


def receiving(updated: int, now: int) -> bool:
    """Say whether something that last changed at `updated` still grows; both are microseconds."""
    return now - updated < RECEIVING_SECONDS * 1_000_000


def badges(study: Mapping[str, Value], where: Whereabouts, now: int, zone: str) -> list[Badge]:
    """Return what is to be said of a study: still growing, held, contested, sent where. `now` is microseconds."""
    updated, total = int(study["updated_at"] or 0), int(study["NumberOfStudyRelatedInstances"] or 0)
    found: list[Badge] = []
    if receiving(updated, now):
        time = shown_moment(updated, zone)[11:]
        found.append(Badge("receiving", "still receiving, last image {time}", {"time": time}))
    if where.lost:
        found.append(Badge("lost", "{lost} of {total} lost on this box", {"lost": where.lost, "total": total}))
    if where.at_centre >= total > 0:
        found.append(Badge("centre", "at the centre", {}))
    elif where.at_centre:
        found.append(Badge("centre", "{count} of {total} at the centre", {"count": where.at_centre, "total": total}))
    elif not found:
        found.append(Badge("held", "held here", {}))
    if where.contested:
        found.append(Badge("conflict", "{count} contradict each other", {"count": where.contested}))
    found += [_sent(sink, where, total) for sink in sorted(where.sent)]
    return found


def _sent(sink: str, where: Whereabouts, total: int) -> Badge:
    count = where.sent[sink]
    if where.proven.get(sink, 0) >= total:
        return Badge("sent", "confirmed at {sink}", {"sink": sink})
    if count >= total:
        return Badge("sent", "all sent to {sink}", {"sink": sink})
    return Badge("partly", "{sent} of {total} sent to {sink}", {"sent": count, "total": total, "sink": sink})
