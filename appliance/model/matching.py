"""Attribute matching (PS3.4 C.2.2.2): what one key of a query asks, the same for QIDO-RS and C-FIND.

The archive compiles these to SQL; `matches` says what the SQL must mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from appliance.model.attributes import Attribute, Level
from appliance.model.moments import date_bounds, time_bounds
from appliance.model.names import fold, fold_group, name_search
from appliance.model.records import Value
from appliance.model.uid import is_valid_uid

Kind = Literal["exact", "wildcard", "range", "uids", "words", "empty"]

WILDCARD_VRS: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})

# Each one multiplies the work of comparing a long value.
MOST_ASTERISKS: Final = 8
MOST_WORDS: Final = 8

# What parts the words of a name; within a folded name "=" parts the groups and "^" the components.
SEPARATORS: Final = "=^ .'-"
# From here on scripts do not part words by spaces: CJK radicals, kana, ideographs, Hangul and beyond.
_FIRST_UNSPACED: Final = "\u2e80"


@dataclass(frozen=True, slots=True)
class Match:
    """What a query asks of one attribute.

    `kind` and `values`:
    - "empty": (); universal matching, every row matches, also one without the attribute.
    - "exact": (text,); for a person name the folded form of its groups, without the outer "=".
    - "wildcard": (pattern,); "*" is any run of characters, "?" exactly one; folded for a person name.
    - "range": (low, high), both inclusive, "" for an open end. Compare as strings: the bounds are
      padded so that string order is the order of dates and times of any precision.
    - "uids": one or more UIDs; the row matches if it is any of them.
    - "words": folded words of a person name; each must begin some word of the name, in any group or
      component. A word in a script without spaces may stand anywhere.

    A row without the attribute matches nothing but "empty". With `loose` text is compared folded: its
    case, accents and width do not count.
    """

    attribute: Attribute
    kind: Kind
    values: tuple[str, ...]
    loose: bool = False

    @property
    def folded(self) -> bool:
        """Whether `values` are folded and the attribute's search column is to be compared."""
        return self.attribute.vr == "PN" or self.loose


@dataclass(frozen=True, slots=True)
class Zones:
    """The time zones of a search, in minutes east of UTC.

    `asked`: of the dates and times in the query. `assumed`: of rows that name none.
    """

    asked: int
    assumed: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """One search: all of `matches` hold, within a study or series where their UID is given.

    Attributes of a higher level than `level` may be matched too. `modalities_in_study` holds
    modalities of which the study must have at least one. `limit` and `offset` count rows. `fuzzy` says
    that `matches` were parsed that way. With `zones` ranges of dates, and of times that stand beside
    them, are moments, converted between zones.
    """

    level: Level
    matches: tuple[Match, ...] = ()
    study_uid: str | None = None
    series_uid: str | None = None
    limit: int = 100
    offset: int = 0
    fuzzy: bool = False
    modalities_in_study: tuple[str, ...] = ()
    zones: Zones | None = None


def _text(attribute: Attribute, text: str) -> Match:
    if attribute.vr not in WILDCARD_VRS or ("*" not in text and "?" not in text):
        return Match(attribute, "exact", (text,))
    pattern = re.sub(r"\*+", "*", text)
    if pattern.count("*") > MOST_ASTERISKS:
        raise ValueError(f"{attribute.keyword} has more than {MOST_ASTERISKS} asterisks.")
    return Match(attribute, "wildcard", (pattern,))


def _name(attribute: Attribute, text: str) -> Match:
    groups = [fold_group(group) for group in text.split("=")]
    folded = "=".join(groups).strip("=")
    return _text(attribute, folded) if folded.strip("*") else Match(attribute, "empty", ())


def words_of(text: str) -> tuple[str, ...]:
    """Return the folded words of a name as it was typed: "O'Neil, Zoë" gives o, neil, zoe."""
    return tuple(re.split(f"[,{re.escape(SEPARATORS)}]+", fold(text).strip(f",{SEPARATORS}")))


def is_spaced(word: str) -> bool:
    """Say whether a word is of a script that parts words by spaces, so that its beginning can be told."""
    return word[:1] < _FIRST_UNSPACED


def _words(attribute: Attribute, text: str) -> Match:
    if "*" in text or "?" in text:
        return _name(attribute, text)
    words = words_of(text)
    if len(words) > MOST_WORDS:
        raise ValueError(f"{attribute.keyword} has more than {MOST_WORDS} words.")
    return Match(attribute, "words", words) if words[0] else Match(attribute, "empty", ())


def _loose(attribute: Attribute, text: str) -> Match:
    match = _text(attribute, fold(text))
    return Match(attribute, match.kind, match.values, loose=True)


def _uids(attribute: Attribute, text: str) -> Match:
    uids = tuple(uid.strip(" \0") for uid in re.split(r"[,\\]", text))
    if not all(is_valid_uid(uid) for uid in uids):
        raise ValueError(f"{attribute.keyword} must be a UID or a list of UIDs separated by commas.")
    return Match(attribute, "uids", uids)


def _range(bounds: Callable[[str], tuple[str, str]], example: str) -> Callable[[Attribute, str], Match]:
    def parse(attribute: Attribute, text: str) -> Match:
        low, dash, high = text.partition("-")
        try:
            first = bounds(low)[0] if low else ""
            last = bounds(high if dash else low)[1] if high or not dash else ""
        except ValueError:
            raise ValueError(f"{attribute.keyword} must be like {example}.") from None
        if not first and not last and "-" in text and text.strip("-") == "":
            raise ValueError(f"{attribute.keyword} has a range without ends; it must be like {example}.")
        return Match(attribute, "range", (first, last))

    return parse


def _date(attribute: Attribute, text: str) -> Match:
    match = _range(date_bounds, "20240131, 20240101-20240131, -20240131 or 20240101-")(attribute, text)
    return match if "-" in text else Match(attribute, "exact", match.values[:1])


def _integer(attribute: Attribute, text: str) -> Match:
    if not re.fullmatch(r"[+-]?[0-9]{1,12}", text):
        raise ValueError(f"{attribute.keyword} must be a whole number.")
    return Match(attribute, "exact", (str(int(text)),))


def _decimal(attribute: Attribute, text: str) -> Match:
    if not re.fullmatch(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?", text[:64]):
        raise ValueError(f"{attribute.keyword} must be a number.")
    return Match(attribute, "exact", (repr(float(text)),))


_PARSERS: Final = MappingProxyType({
    "PN": _name,
    "UI": _uids,
    "DA": _date,
    "TM": _range(time_bounds, "101530, 10, 1000-1230, -1230 or 1000-"),
    "IS": _integer,
    "US": _integer,
    "DS": _decimal,
})  # fmt: skip


def parse_match(attribute: Attribute, text: str, *, fuzzy: bool = False) -> Match:
    """Return what the query value `text` asks of `attribute`.

    `fuzzy` (PS3.18 8.3.4.2): a person name without wildcards is asked for by the beginnings of its
    words, and text that the index keeps folded is compared folded. A time without seconds asks for
    that whole hour or minute, so every time becomes a range.
    Raises ValueError with one plain sentence, which names the keyword and never the value.
    """
    if not attribute.matchable:
        raise ValueError(f"{attribute.keyword} cannot be matched.")
    if len(text) > 65536:
        raise ValueError(f"{attribute.keyword} is longer than 65536 characters.")
    stripped = text.strip(" \0")
    if not stripped or (attribute.vr in WILDCARD_VRS and not stripped.strip("*")):
        return Match(attribute, "empty", ())
    if fuzzy and attribute.search_column:
        return (_words if attribute.vr == "PN" else _loose)(attribute, stripped)
    return _PARSERS.get(attribute.vr, _text)(attribute, stripped)


def wildcard_expression(pattern: str) -> re.Pattern[str]:
    """Return a DICOM wildcard pattern as a regular expression for whole values."""
    parts = re.split(r"([*?])", pattern)
    return re.compile("".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts), re.DOTALL)


def _matches_words(match: Match, value: str) -> bool:
    found = re.split(f"[{re.escape(SEPARATORS)}]", name_search(value))
    return all(
        any(part.startswith(word) for part in found) if is_spaced(word) else word in name_search(value)
        for word in match.values
    )


def _matches_name(match: Match, value: str) -> bool:
    pattern = f"*={match.values[0]}=*"
    if match.kind == "exact":
        return pattern[1:-1] in name_search(value)
    return wildcard_expression(pattern).fullmatch(name_search(value)) is not None


def matches(match: Match, value: Value) -> bool:
    """Say whether an index value (None: absent) satisfies `match`: the meaning the SQL must have."""
    if match.kind == "empty":
        return True
    if value is None or value == "":
        return False
    if match.kind == "words":
        return _matches_words(match, str(value))
    if match.attribute.vr == "PN":
        return _matches_name(match, str(value))
    if match.attribute.parent:
        return any(
            matches(replace(match, attribute=replace(match.attribute, parent=0)), v) for v in str(value).split("\\")
        )
    if match.loose:
        value = fold(str(value))
    if match.kind == "range":
        low, high = match.values
        return (not low or str(value) >= low) and (not high or str(value) <= high)
    if match.kind == "wildcard":
        return wildcard_expression(match.values[0]).fullmatch(str(value)) is not None
    if isinstance(value, float):
        return value == float(match.values[0])
    return str(value) in match.values
