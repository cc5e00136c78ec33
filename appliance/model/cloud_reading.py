"""Reading a record back: the strict half of the contract, by the same tables that records are written by.

Pure. A reader takes what model.cloud_values writes and nothing looser: one bad field refuses the whole record, and the
reason names the field, never its value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from types import MappingProxyType
from typing import Any, Final

from appliance.model.cloud_fields import Field, Kind
from appliance.model.records import Value

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COMPACT: Final = re.compile(r"[0-9]{8}")
_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?")

_ALLOWED: Final[MappingProxyType[str, frozenset[str]]] = MappingProxyType({
    "transfer_status": frozenset({"NoNeedTransfer", "Success", "Failed", "NeedTransfer"}),
})  # fmt: skip
_FORMS: Final[MappingProxyType[str, re.Pattern[str]]] = MappingProxyType({"digest": re.compile(r"[0-9a-f]{64}")})
# Without these a row has no key, or nobody to belong to.
_NEVER_EMPTY: Final = frozenset(
    {"tenant_id", "patient_id", "study_uid", "series_uid", "sop_uid", "trace_id", "request_id"}
)
# Boxes of an earlier version did not send them yet; a record without counts as the oldest.
_LATER: Final[MappingProxyType[str, Value]] = MappingProxyType({"revision": 0})


class Unreadable(ValueError):
    """A record that is refused. Its text is a plain sentence that names at most a field."""


# What is wrong with a value of the right JSON type for its kind, "" for nothing.
_Check = Callable[[Any, Field], str]


def parse_object(value: bytes) -> dict[str, Any]:
    """Return the JSON object that a message's value is. Raises Unreadable.

    NaN, Infinity and a field named twice are no JSON to strict readers.
    """
    try:
        found = json.loads(value.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise Unreadable("the value is not UTF-8") from None
    except Unreadable:
        raise
    except (ValueError, RecursionError):
        raise Unreadable("the value is not JSON") from None
    if not isinstance(found, dict):
        raise Unreadable("the value is not a JSON object")
    return found


def read_row(record: Mapping[str, Any], fields: tuple[Field, ...]) -> dict[str, Value]:
    """Return exactly `fields` of a record, in their order; unknown fields are left behind. Raises Unreadable."""
    return {field.name: _read(record.get(field.name, _LATER.get(field.name)), field) for field in fields}


def _read(value: Any, field: Field) -> Any:
    if value is None:
        if field.required:
            raise Unreadable(f"{field.name} is missing")
        # null is allowed, and stands for what a writer would have said (accession_number "").
        return field.default
    kinds, check = _CHECKS[field.kind]
    # True is an int to Python, and to nobody else.
    if type(value) not in kinds:
        raise Unreadable(f"{field.name} has the wrong type")
    wrong = check(value, field)
    if wrong:
        raise Unreadable(f"{field.name} {wrong}")
    return float(value) if field.kind is Kind.F64 else value


def _text(value: str, field: Field) -> str:
    if "\0" in value:
        return "holds a NUL"
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "holds text that UTF-8 cannot carry"
    if size > field.limit:
        return f"is longer than {field.limit} bytes"
    if not value and field.name in _NEVER_EMPTY:
        return "is empty"
    form, allowed = _FORMS.get(field.name), _ALLOWED.get(field.name)
    if form is not None and form.fullmatch(value) is None:
        return "is not written as it has to be"
    return "has none of the values it may have" if allowed is not None and value not in allowed else ""


def _written(pattern: re.Pattern[str], parse: Callable[[str], object], word: str) -> _Check:
    """Return a check for text written like `pattern` that `parse` takes; it takes looser forms, too."""

    def check(value: str, field: Field) -> str:
        try:
            fits = pattern.fullmatch(value) is not None and parse(value) is not None
        except ValueError:
            fits = False
        return "" if fits else f"is no {word}"

    return check


def _compact(value: str) -> date:
    return date(int(value[:4]), int(value[4:6]), int(value[6:]))


def _moment(value: str, field: Field) -> str:
    day, separator, clock = value.partition("T")
    try:
        fits = separator == "T" and _DATE.fullmatch(day) and _TIME.fullmatch(clock) and datetime.fromisoformat(value)
    except ValueError:
        fits = False
    return "" if fits else "is no date with time"


def _within(low: int, high: int) -> _Check:
    def check(value: int, field: Field) -> str:
        return "" if low <= value <= high else "is out of range"

    return check


def _finite(value: int | float, field: Field) -> str:
    try:
        return "" if math.isfinite(float(value)) else "is out of range"
    except OverflowError:
        return "is out of range"


def _refuse(constant: str) -> None:
    raise Unreadable("the value holds NaN or Infinity")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("the value names a field twice")
    return found


_CHECKS: Final[MappingProxyType[Kind, tuple[tuple[type, ...], _Check]]] = MappingProxyType({
    Kind.IDENTIFIER: ((str,), _text),
    Kind.TEXT: ((str,), _text),
    Kind.DATE: ((str,), _written(_DATE, date.fromisoformat, "date")),
    Kind.COMPACT_DATE: ((str,), _written(_COMPACT, _compact, "date of eight digits")),
    Kind.TIME: ((str,), _written(_TIME, time.fromisoformat, "time of day")),
    Kind.MOMENT: ((str,), _moment),
    Kind.I32: ((int,), _within(-(2**31), 2**31 - 1)),
    Kind.I64: ((int,), _within(-(2**63), 2**63 - 1)),
    Kind.U16: ((int,), _within(0, 2**16 - 1)),
    Kind.U64: ((int,), _within(0, 2**64 - 1)),
    Kind.F64: ((int, float), _finite),
})  # fmt: skip
