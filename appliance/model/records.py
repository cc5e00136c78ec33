"""The nouns that travel between rooms: where an object came from, what its header says, what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Value = str | int | float | None


class Door(StrEnum):
    """The way an object came in."""

    DIMSE = "dimse"
    STOW = "stow"
    IMPORT = "import"


class ConflictPolicy(StrEnum):
    """Which content becomes current when one SOP Instance UID arrives with different bytes."""

    ASK = "ask"
    NEWEST = "newest"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sent an object and what the configuration says of that sender.

    `ae_title` is the calling AE title (DIMSE), the user or token name (STOW) or the host (import).
    `address` is a bare IP address, or "" where there is none. `assumed_charset` is a value of
    Specific Character Set (0008,0005), or a Python codec name such as "gbk", for senders that
    declare none. `traceparent` is the W3C header of the association or request.
    """

    door: Door
    ae_title: str
    address: str = ""
    assumed_charset: str = ""
    conflict_policy: ConflictPolicy = ConflictPolicy.ASK
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """What the index needs of one data set.

    The mappings go from column name (model.attributes) to a value of the column's type; an
    absent attribute has no entry. Text is decoded; several values are joined by a backslash.
    `marks` are short words for what was mended on the way ("undecodable text", ...).
    """

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    study: Mapping[str, Value] = field(default_factory=dict)
    series: Mapping[str, Value] = field(default_factory=dict)
    instance: Mapping[str, Value] = field(default_factory=dict)
    marks: tuple[str, ...] = ()


class Result(StrEnum):
    """What ingest did with an object; each of them is a success to the sender."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    RESTORED = "restored"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Stored:
    """One object, durable: its bytes fsynced, its index rows, events and custody line committed.

    `digest` is the SHA-256, in hex, of the data set bytes after group 2 as transferred.
    """

    result: Result
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    digest: str
    version_id: int
