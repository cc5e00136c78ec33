"""CREATE TABLE as Doris reads it: tokens, then tables, then the rules that Doris checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"""\s+|--[^\n]*|(?P<name>`[^`]+`)|(?P<text>'[^']*'|"[^"]*")|(?P<word>[A-Za-z_0-9.]+)|(?P<mark>[(),;=])"""
)
WHOLE = {"TINYINT", "SMALLINT", "INT", "BIGINT", "LARGEINT"}
TYPES = WHOLE | {"VARCHAR", "DATE", "DATETIME", "DOUBLE"}
LONGEST_VARCHAR = 65533
PROPERTIES = {"replication_num", "function_column.sequence_col", "enable_unique_key_merge_on_write"}


class BadDdl(Exception):
    """What Doris would refuse, or what this double cannot read."""


@dataclass(frozen=True)
class Column:
    """A column; `size` is the length in bytes of a VARCHAR, or the digits after the second of a DATETIME."""

    name: str
    type: str
    size: int
    nullable: bool
    default: str | None


@dataclass
class Table:
    """A table; `model` is UNIQUE or DUPLICATE."""

    database: str
    name: str
    columns: list[Column] = field(default_factory=list)
    model: str = ""
    keys: tuple[str, ...] = ()
    spread: tuple[str, ...] = ()
    buckets: int = 0
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def sequence(self) -> str:
        """The column that decides which of two rows with one key is newer; "" where the later load wins."""
        return self.properties.get("function_column.sequence_col", "")

    def column(self, name: str) -> Column:
        """A column by name."""
        return next(column for column in self.columns if column.name == name)


def parse(text: str) -> list[Table]:
    """The tables of a script. Raises BadDdl."""
    database, tables = "", []
    for statement in _statements(text):
        words = [token.upper() for token in statement[:3]]
        if words[:1] == ["USE"]:
            database = statement[1].strip("`")
        elif words[:2] == ["CREATE", "TABLE"]:
            table = _Reader(statement).table(database)
            _check(table)
            tables.append(table)
        elif words[:2] != ["CREATE", "DATABASE"]:
            raise BadDdl(f"a statement that this double does not know: {' '.join(statement[:4])}")
    return tables


def _statements(text: str) -> Iterator[list[str]]:
    at = 0
    found: list[str] = []
    while at < len(text):
        token = TOKEN.match(text, at)
        if token is None:
            raise BadDdl(f"cannot be read: {text[at : at + 30]!r}")
        at = token.end()
        if token.lastgroup is None:
            continue
        if token[0] == ";":
            yield found
            found = []
        else:
            found.append(token[0])
    if found:
        raise BadDdl("the last statement has no end")


class _Reader:
    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = list(tokens)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        """The next token, which must be one of those expected, if any are."""
        token = self.peek()
        if not token or (expected and token.upper() not in expected):
            raise BadDdl(
                f"{token!r} where {expected or 'more'} was expected, before {self.tokens[self.at : self.at + 4]}"
            )
        self.at += 1
        return token

    def skip(self, *words: str) -> bool:
        """Take these words if they come next."""
        if [token.upper() for token in self.tokens[self.at : self.at + len(words)]] != list(words):
            return False
        self.at += len(words)
        return True

    def table(self, database: str) -> Table:
        self.skip("CREATE", "TABLE")
        self.skip("IF", "NOT", "EXISTS")
        place = self.take().replace("`", "").split(".")
        table = Table(place[0] if len(place) > 1 else database, place[-1])
        self.take("(")
        while True:
            table.columns.append(self.column())
            if self.take(",", ")") == ")":
                break
        self.skip("ENGINE", "=", "OLAP")
        table.model = self.take("UNIQUE", "DUPLICATE").upper()
        self.take("KEY")
        table.keys = self.names()
        if self.skip("COMMENT"):
            self.take()
        for word in ("DISTRIBUTED", "BY", "HASH"):
            self.take(word)
        table.spread = self.names()
        self.take("BUCKETS")
        table.buckets = self.number()
        if self.skip("PROPERTIES"):
            table.properties = self.pairs()
        if self.peek():
            raise BadDdl(f"{self.peek()!r} after the end of a table")
        return table

    def column(self) -> Column:
        name, kind, size = self.take().strip("`"), self.take().upper(), 0
        if name in (")", "("):
            raise BadDdl("a comma before the end of the columns")
        if self.skip("("):
            size = self.number()
            self.take(")")
        nullable = True
        if self.skip("NOT", "NULL"):
            nullable = False
        else:
            self.skip("NULL")
        default = self.take().strip("'\"") if self.skip("DEFAULT") else None
        if self.skip("COMMENT"):
            self.take()
        return Column(name, kind, size, nullable, default)

    def names(self) -> tuple[str, ...]:
        self.take("(")
        found = [self.take().strip("`")]
        while self.take(",", ")") == ",":
            found.append(self.take().strip("`"))
        return tuple(found)

    def pairs(self) -> dict[str, str]:
        self.take("(")
        found = {}
        while True:
            key = self.take().strip("'\"")
            self.take("=")
            found[key] = self.take().strip("'\"")
            if self.take(",", ")") == ")":
                return found

    def number(self) -> int:
        token = self.take()
        if not token.isdecimal():
            raise BadDdl(f"{token!r} is no number")
        return int(token)


def _check(table: Table) -> None:
    """The rules of Doris for tables. Raises BadDdl."""
    names = [column.name for column in table.columns]
    unknown = set(table.properties) - PROPERTIES
    lengths = [column.size for column in table.columns if column.type == "VARCHAR"]
    apart = not set(table.spread) <= set(table.keys)
    faults = {
        "two columns of one name": len(set(names)) != len(names),
        "an unknown type": any(column.type not in TYPES for column in table.columns),
        "no database is selected": not table.database,
        "the key columns must be the first, in order": tuple(names[: len(table.keys)]) != table.keys,
        "the distribution needs columns of the table": not set(table.spread) <= set(names),
        "a unique table is distributed by key columns": table.model == "UNIQUE" and apart,
        "too long": any(not 0 < length <= LONGEST_VARCHAR for length in lengths),
        f"unknown properties {unknown}": bool(unknown),
        "no buckets": table.buckets < 1,
    }
    for fault, found in faults.items():
        if found:
            raise BadDdl(f"{table.name}: {fault}")
    if any(table.column(key).type == "DOUBLE" for key in table.keys):
        raise BadDdl(f"{table.name}: a DOUBLE cannot be a key")
    if table.sequence:
        _check_sequence(table, names)


def _check_sequence(table: Table, names: Sequence[str]) -> None:
    if table.model != "UNIQUE":
        raise BadDdl(f"{table.name}: only unique tables have a sequence column")
    if table.sequence not in names or table.sequence in table.keys:
        raise BadDdl(f"{table.name}: the sequence column must be a value column")
    if table.column(table.sequence).type not in WHOLE | {"DATE", "DATETIME"}:
        raise BadDdl(f"{table.name}: a sequence is a whole number or a date")
