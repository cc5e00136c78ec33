"""Values as the cloud's strict readers take them: each kind of field, with its limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from appliance.model.cloud_fields import Field, Kind
from appliance.model.cloud_stand_ins import local_time, short_hash
from appliance.model.moments import parse_date, parse_time
from appliance.model.records import Value

SHORTENED: Final = "shortened"
CUT: Final = "cut"
INVALID: Final = "invalid"

# Value in, (value out, mark or "") out; the time zone matters to moments only.
_Writer = Callable[[Value, Field, str], tuple[Value, str]]

_HASH_DIGITS: Final = 16


def cut_utf8(text: str, limit: int) -> str:
    """Return the longest beginning of `text` that has at most `limit` bytes in UTF-8."""
    # "ignore" drops the character that the cut went through.
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def _clean(value: Value) -> str:
    return str(value).replace("\0", "").encode("utf-8", "replace").decode()


def shorten(text: str, limit: int) -> str:
    """Return an identifier within `limit` UTF-8 bytes; a longer one becomes beginning, "~" and hash.

    The hash has 16 hexadecimal digits, or as many as the limit leaves room for (15 of 16 bytes).
    """
    if len(text.encode()) <= limit:
        return text
    digest = short_hash(text)[: min(_HASH_DIGITS, limit - 1)]
    return f"{cut_utf8(text, limit - 1 - len(digest))}~{digest}"


def _identifier(value: Value, field: Field, timezone: str) -> tuple[Value, str]:
    text = _clean(value)
    written = shorten(text, field.limit)
    return written, "" if written == text else SHORTENED


def _text(value: Value, field: Field, timezone: str) -> tuple[Value, str]:
    text = _clean(value)
    written = cut_utf8(text, field.limit)
    # Nothing left of a single wide character is nothing known, not a known empty text.
    return written or (None if text else ""), "" if written == text else CUT


def _date(value: Value, field: Field, timezone: str) -> tuple[Value, str]:
    day = parse_date(str(value))
    if day is None:
        return None, INVALID
    return day.isoformat() if field.kind is Kind.DATE else day.isoformat().replace("-", ""), ""


def _time(value: Value, field: Field, timezone: str) -> tuple[Value, str]:
    moment = parse_time(str(value).partition("\\")[0])
    return (None, INVALID) if moment is None else (moment.isoformat(), "")


def _moment(value: Value, field: Field, timezone: str) -> tuple[Value, str]:
    return (local_time(value, timezone).isoformat(), "") if isinstance(value, int) else (None, INVALID)


def _integer(low: int, high: int) -> _Writer:
    def write(value: Value, field: Field, timezone: str) -> tuple[Value, str]:
        fits = isinstance(value, int) and low <= value <= high
        return (int(value), "") if fits and value is not None else (None, INVALID)

    return write


def _float(value: Value, field: Field, timezone: str) -> tuple[Value, str]:
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value), ""
    return None, INVALID


_WRITERS: Final[MappingProxyType[Kind, _Writer]] = MappingProxyType({
    Kind.IDENTIFIER: _identifier,
    Kind.TEXT: _text,
    Kind.DATE: _date,
    Kind.COMPACT_DATE: _date,
    Kind.TIME: _time,
    Kind.MOMENT: _moment,
    Kind.I32: _integer(-(2**31), 2**31 - 1),
    Kind.I64: _integer(-(2**63), 2**63 - 1),
    Kind.U16: _integer(0, 2**16 - 1),
    Kind.U64: _integer(0, 2**64 - 1),
    Kind.F64: _float,
})  # fmt: skip


def write_value(value: Value, field: Field, timezone: str) -> tuple[Value, str]:
    """Return what the record carries of `value` in `field`, and a mark ("" where nothing was changed).

    None gives the field's default without a mark; so does an empty text that would be no number,
    date or time.
    """
    if value is None or value == "":
        return field.default, ""
    written, mark = _WRITERS[field.kind](value, field, timezone)
    return field.default if written is None else written, mark
