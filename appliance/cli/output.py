"""What a verb prints: JSON for scripts, a plain table for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import click

Row = Mapping[str, Any]

TIMES = ("not_before", "lease_until")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def print_json(value: object) -> None:
    """One JSON document on standard output; text stays readable, control characters are escaped."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_rows(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """A list: JSON array of whole rows, or a table of the named columns; `empty` is said of none."""
    if as_json:
        print_json([dict(row) for row in rows])
    elif not rows:
        click.echo(empty)
    else:
        for line in table(rows, columns):
            click.echo(line)


def print_facts(facts: Row, *, as_json: bool) -> None:
    """One thing: a JSON object, or `name  value` lines."""
    if as_json:
        print_json(dict(facts))
        return
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {cell(value)}")


def table(rows: Iterable[Row], columns: Sequence[str]) -> list[str]:
    """Left-aligned columns under upper-case headings; no trailing blanks."""
    cells = [[name.replace("_", " ").upper() for name in columns]]
    cells += [[cell(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    return ["  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def cell(value: object) -> str:
    """A value as one harmless line: what came from the network may not steer the terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(value))


def moment(microseconds: int | None) -> str | None:
    """Microseconds since 1970 as ISO 8601 in UTC, to the millisecond; None stays None."""
    if microseconds is None:
        return None
    at = datetime.fromtimestamp(microseconds / 1e6, tz=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class DatabaseRow(Protocol):
    """What the archive lists: values by column name."""

    def keys(self) -> Iterable[str]:
        """Names of the columns."""

    def __getitem__(self, name: str, /) -> Any:
        """Value of a column."""


def timed(row: DatabaseRow) -> dict[str, Any]:
    """A database row with its times (names ending in _at, and TIMES) as text; 0 is no time."""
    plain = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a row of the database iterates over its values
    return {name: moment(value or None) if _is_time(name) else value for name, value in plain.items()}


def _is_time(name: str) -> bool:
    return name.endswith("_at") or name in TIMES


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun: 1 file, 2 files."""
    return f"{count} {one if count == 1 else many}"


def size(count: int) -> str:
    """A number of bytes for people: 1.5 GiB."""
    amount = float(count)
    for unit in _UNITS[:-1]:
        if abs(amount) < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} {_UNITS[-1]}"
