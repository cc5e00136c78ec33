"""One JSON value as a column takes it, or why the row is filtered, worded as Doris does: with the value."""

from __future__ import annotations

import datetime
import json
import math
import re
from typing import Any

from tests.partners.doris.ddl import WHOLE, Column

BITS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64, "LARGEINT": 128}
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?)?")


class Unqualified(Exception):
    """The row is filtered; the text is a line of the error log."""


def cell(column: Column, value: Any, *, strict: bool) -> Any:
    """The value as the column keeps it. Raises Unqualified.

    Without strict mode, a value that cannot be converted becomes NULL, as in Doris: silently.
    """
    written = None if value is None else _WRITERS[column.type](column, value)
    if written is None and value is not None and strict:
        raise Unqualified(
            f"Reason: column({column.name}) value is incorrect while strict mode is true, src value is {value}"
        )
    if written is None and not column.nullable:
        raise Unqualified(f"Reason: column_name[{column.name}], null value for not null column, type={column.type}")
    return written


def _text(column: Column, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    length = len(text.encode())
    if length > column.size:
        raise Unqualified(
            f"Reason: column_name[{column.name}], the length of input is too long than schema. "
            f"first 32 bytes of input str: [{text[:32]}] schema length: {column.size}; actual length: {length}; "
        )
    return text


def _whole(column: Column, value: Any) -> int | None:
    if isinstance(value, float) or not re.fullmatch(r"-?\d+", str(int(value) if isinstance(value, bool) else value)):
        return None
    number, bits = int(value), BITS[column.type]
    return number if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) else None


def _double(_: Column, value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _date(_: Column, value: Any) -> str | None:
    text = str(value)
    found = _DATE.fullmatch(text) or (_DATE.match(text) if _MOMENT.fullmatch(text) else None)
    try:
        return datetime.date(*map(int, found.groups())).isoformat() if found else None
    except ValueError:
        return None


def _moment(column: Column, value: Any) -> str | None:
    found = _MOMENT.fullmatch(str(value))
    if found is None:
        return None
    day, hour, minute, second, fraction = found.groups()
    try:
        moment = datetime.datetime.fromisoformat(day).replace(
            hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0)
        )
    except ValueError:
        return None
    # Digits beyond the column's scale are rounded away, to whole seconds for a plain DATETIME.
    micros = round(float(fraction or 0), column.size) * 1_000_000
    return (moment + datetime.timedelta(microseconds=round(micros))).isoformat(" ")


_WRITERS: dict[str, Any] = {"VARCHAR": _text, "DOUBLE": _double, "DATE": _date, "DATETIME": _moment}
_WRITERS |= dict.fromkeys(WHOLE, _whole)
