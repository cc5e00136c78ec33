"""What a verb prints: JSON for scripts, plain lines and tables for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import click


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def plain(value: object) -> str:
    """A value as one harmless line: what a request or a file says may not steer the terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return plain(", ".join(map(str, value)))
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(value))


def table(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> list[str]:
    """Left-aligned columns under upper-case headings; no trailing blanks."""
    cells = [[name.replace("_", " ").upper() for name in columns]]
    cells += [[plain(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    return ["  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
