"""Query parameters of QIDO-RS (PS3.18 8.3.4, 10.6.1): names and values in, one query of the model out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from appliance.errors import PeerError
from appliance.model.attributes import ATTRIBUTES, NESTED, Attribute, Level, Source, find_attribute
from appliance.model.matching import Match, Query, Zones, parse_match

MOST_PARAMETERS: Final = 100
LONGEST_VALUE: Final = 4096
_LEVELS: Final = (Level.STUDY, Level.SERIES, Level.INSTANCE)
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")

_OFFSET: Final = re.compile(r"([ +-])([0-9]{2})([0-5][0-9])")
_MOST_MINUTES: Final = 14 * 60


class BadParameter(PeerError):
    """A query parameter that cannot be understood; the message never repeats the value."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One QIDO-RS search: the query, the attributes to answer, and warnings for the answer."""

    query: Query
    attributes: tuple[Attribute, ...]
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Draft:
    """What the parameters read so far amount to."""

    query: Query
    assumed_minutes: int = 0
    matches: list[Match] = field(default_factory=list)
    included: set[str] = field(default_factory=set)
    everything: bool = False
    warnings: list[str] = field(default_factory=list)


def is_dicom_name(name: str) -> bool:
    """Say whether `name` is a keyword of the DICOM dictionary or written like a tag (public or private)."""
    if _TAG.fullmatch(name):
        return True
    # With the first name that is none of the index's: the dictionary is large.
    from pydicom.datadict import tag_for_keyword

    return tag_for_keyword(name) is not None


def _whole_number(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise BadParameter(f"{name} must be a whole number, zero or more")
    return int(value)


def _limit(draft: _Draft, value: str) -> None:
    # PS3.18 8.3.4.4: the most results of an answer; zero asks for none, and the Warning tells how many there are.
    draft.query = replace(draft.query, limit=min(_whole_number("limit", value), draft.query.limit))


def _offset(draft: _Draft, value: str) -> None:
    draft.query = replace(draft.query, offset=_whole_number("offset", value))


def _fuzzy(draft: _Draft, value: str) -> None:
    if value.lower() not in ("true", "false"):
        raise BadParameter("fuzzymatching must be true or false")
    if value.lower() == "true":
        draft.query = replace(draft.query, fuzzy=True)


def _zone(draft: _Draft, value: str) -> None:
    # A plus sign that the client did not escape arrives as a space.
    found = _OFFSET.fullmatch(value)
    minutes = int(found[2]) * 60 + int(found[3]) if found else _MOST_MINUTES + 1
    if found is None or minutes > _MOST_MINUTES:
        raise BadParameter("TimezoneOffsetFromUTC must be like +0800 or -0500")
    asked = -minutes if found[1] == "-" else minutes
    draft.query = replace(draft.query, zones=Zones(asked, draft.assumed_minutes))


def _include(draft: _Draft, value: str) -> None:
    for name in filter(None, (piece.strip() for piece in value.split(","))):
        attribute = find_attribute(name)
        if name == "all":
            draft.everything = True
        elif attribute is not None:
            draft.included.add(attribute.keyword)
        elif not is_dicom_name(name.split(".")[0]):
            raise BadParameter("includefield names no DICOM attribute")


def _modalities(draft: _Draft, value: str) -> None:
    wanted = tuple(word.strip().upper() for word in re.split(r"[,\\]", value) if word.strip(" *"))
    draft.query = replace(draft.query, modalities_in_study=wanted)
    draft.included.add("ModalitiesInStudy")


_CONTROLS: Final[Mapping[str, Callable[[_Draft, str], None]]] = MappingProxyType({
    "limit": _limit,
    "offset": _offset,
    "fuzzymatching": _fuzzy,
    "includefield": _include,
    "ModalitiesInStudy": _modalities,
    "00080061": _modalities,
    "TimezoneOffsetFromUTC": _zone,
    "00080201": _zone,
    "accept": lambda draft, value: None,
    "charset": lambda draft, value: None,
})  # fmt: skip


def _match(draft: _Draft, name: str, value: str) -> None:
    attribute = find_attribute(name)
    if attribute is None and not is_dicom_name(name.split(".")[0]):
        raise BadParameter("a query parameter is neither known nor a DICOM attribute")
    reached = _LEVELS[: _LEVELS.index(draft.query.level) + 1]
    if attribute is None or not attribute.matchable or attribute.level not in reached:
        # The name may be echoed: it is a keyword or a tag, checked above.
        draft.warnings.append(f"The attribute {name[:64]} is not supported for matching and was ignored.")
        return
    try:
        draft.matches.append(parse_match(attribute, value, fuzzy=draft.query.fuzzy))
    except ValueError as error:
        raise BadParameter(str(error)) from None
    draft.included.add(attribute.keyword)


def answered(level: Level, within: Level | None, included: Iterable[str], everything: bool) -> tuple[Attribute, ...]:
    """Return the attributes of an answer, in table order.

    Those every answer at `level` has, those of the levels above that the path did not fix
    (`within`: the level of the deepest UID in the path), and those asked for. The UIDs that name
    the row are always there.
    """
    reached = _LEVELS[: _LEVELS.index(level) + 1]
    fixed = () if within is None else _LEVELS[: _LEVELS.index(within) + 1]
    names = set(included) | {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"}
    return tuple(
        attribute
        for attribute in (*ATTRIBUTES, *NESTED)
        if attribute.level in reached
        and (
            everything
            or attribute.keyword in names
            or attribute.source is Source.ANSWER
            or (attribute.returned and (attribute.level is level or attribute.level not in fixed))
        )
        and (attribute.column or attribute.returned)
    )


def parse_search(
    level: Level,
    parameters: Sequence[tuple[str, str]],
    *,
    study_uid: str | None = None,
    series_uid: str | None = None,
    max_results: int,
    assumed_minutes: int = 0,
) -> SearchRequest:
    """Return the search that the parameters of one request ask for.

    `max_results` is both the default and the ceiling of limit. `assumed_minutes` east of UTC is where
    studies that name no time zone are from. Raises BadParameter for a name that
    is neither ours nor DICOM's and for a value that cannot be read.
    """
    if len(parameters) > MOST_PARAMETERS or any(len(value) > LONGEST_VALUE for _, value in parameters):
        raise BadParameter("there are too many query parameters, or one of them is too long")
    query = Query(level, study_uid=study_uid, series_uid=series_uid, limit=max_results)
    draft = _Draft(query, assumed_minutes)
    # The controls first: fuzzymatching counts for what stands before it too.
    for name, value in sorted(parameters, key=lambda pair: pair[0] not in _CONTROLS):
        control = _CONTROLS.get(name)
        if control is not None:
            control(draft, value)
        else:
            _match(draft, name, value)
    within = Level.SERIES if series_uid else Level.STUDY if study_uid else None
    attributes = answered(level, within, draft.included, draft.everything)
    query = replace(draft.query, matches=tuple(draft.matches))
    return SearchRequest(query, attributes, tuple(draft.warnings))
