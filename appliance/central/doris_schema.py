"""The centre's tables in Apache Doris: the SQL as it is shipped, with an installation's names put in.

Stream Load cannot create tables: somebody hands this SQL to a MySQL client (`mysql -h FRONTEND -P 9030`).
No real Doris has run it yet: it was written by its documents, and is checked against them by a stand-in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from types import MappingProxyType
from typing import Final, Literal, Protocol

from appliance.central.targets import Kind
from appliance.errors import ConfigurationError
from appliance.model import cloud

Form = Literal["ours", "upstream"]

# The topics that Routine Load reads; storage_queue says what log_queue says.
_TOPICS: Final[Mapping[Kind, str]] = MappingProxyType({
    Kind.STATE: cloud.STATE_TOPIC,
    Kind.IMAGE: cloud.IMAGE_TOPIC,
    Kind.LOG: cloud.LOG_TOPIC,
    Kind.ACCESS: cloud.ACCESS_TOPIC,
    Kind.TRANSCODE: cloud.TRANSCODE_TOPIC,
})  # fmt: skip

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_WORD: Final = re.compile(r"[A-Za-z0-9._,:\[\]-]+")


class Layout(Protocol):
    """How an installation spreads its tables."""

    @property
    def database(self) -> str:
        """Name of the database."""

    @property
    def buckets(self) -> int:
        """Buckets of each table."""

    @property
    def replication(self) -> int:
        """Copies of each bucket."""


def doris_ddl(layout: Layout, form: Form = "ours") -> str:
    """Return the statements that make the database and its tables; safe to repeat.

    "ours" is what the loader fills, "upstream" what the programs of dicom-server-rs do. Raises ConfigurationError.
    """
    return _rendered(f"{form}.sql", _names(layout))


def routine_load_sql(layout: Layout, brokers: Sequence[str], topics: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the jobs by which Doris reads the topics itself, instead of our loader.

    `brokers` are host:port; `topics` are names that differ from the usual, by kind. Raises ConfigurationError.
    """
    names = {f"topic_{kind}": topics.get(kind, usual) for kind, usual in _TOPICS.items()}
    names["brokers"] = ",".join(brokers)
    for text in names.values():
        if not _WORD.fullmatch(text):
            raise ConfigurationError(f"{text!r} has no place in SQL", hint="check central.kafka")
    return _rendered("routine_load.sql", {**_names(layout), **names})


def _names(layout: Layout) -> dict[str, str]:
    if not _NAME.fullmatch(layout.database):
        hint = "a letter, then letters, digits and underscores; 64 at most"
        raise ConfigurationError(f"{layout.database!r} is no name of a database", hint=hint)
    return {
        "database": layout.database,
        "buckets": str(layout.buckets),
        "replication": str(layout.replication),
    }


def _rendered(name: str, values: Mapping[str, str]) -> str:
    text = resources.files("appliance.central").joinpath("schema", "doris", name).read_text(encoding="utf-8")
    return Template(text).substitute(values)
