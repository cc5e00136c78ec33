"""PostgreSQL's errors: whose fault each of them is, in one table of SQLSTATEs. Values never leave it.

The text of an error, and above all its detail, quotes the row: a patient's name. What is told on is
the SQLSTATE, its name, and the names of table, column and constraint.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import psycopg

from appliance.central.targets import Misdirected, Unavailable
from appliance.errors import DeliveryError


class Blame(StrEnum):
    """Whose fault an error is."""

    LINE = "line"
    SETTINGS = "settings"
    ROW = "row"
    UNKNOWN = "unknown"


_SCHEMA: Final = "run `appliance central init` with the rights to create tables, and grant the loader its own (--grant)"
_LOGIN: Final = "check user, password_file and database of central.postgres, and pg_hba.conf at the server"

# The longest beginning that fits decides: a whole SQLSTATE stands above its class.
STATES: Final[Mapping[str, tuple[Blame, str, str]]] = MappingProxyType({
    "08": (Blame.LINE, "the connection to the database failed", ""),
    "0A": (Blame.SETTINGS, "the database does not support what is asked of it", "see docs/central.md, Citus"),
    "22": (Blame.ROW, "a value does not fit", ""),
    "23": (Blame.ROW, "a rule of the table forbids the row", ""),
    "25": (Blame.LINE, "the database takes no writes at present", "after a failover it must accept them again"),
    "28": (Blame.SETTINGS, "the database rejects the login", _LOGIN),
    "3D": (Blame.SETTINGS, "there is no such database", _LOGIN),
    "3F": (Blame.SETTINGS, "there is no such schema", _SCHEMA),
    "40": (Blame.LINE, "the database has ended the transaction for another's sake", ""),
    "42": (Blame.SETTINGS, "table, column or permission is missing", _SCHEMA),
    "44": (Blame.ROW, "a rule of the view forbids the row", ""),
    "53": (Blame.LINE, "the database has no disk, memory or connections left", "see its log"),
    "54": (Blame.ROW, "a limit of the database is exceeded", ""),
    "55": (Blame.LINE, "the database is busy", ""),
    "57": (Blame.LINE, "the database has stopped or interrupted the work", ""),
    "58": (Blame.LINE, "the database has trouble with its machine", "see its log"),
    "P0": (Blame.ROW, "a rule of the table forbids the row", ""),
    "XX": (Blame.LINE, "the database reports an internal error", "see its log"),
})  # fmt: skip
UNKNOWN: Final = (Blame.UNKNOWN, "the database reports something unexpected", "see its log")

# Before a session exists the library hands on a sentence and no SQLSTATE. One it does not know is
# taken for the line's fault: the loader then tries again, and says so. The first that fits decides.
SENTENCES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({
    "root certificate file": ("tls_ca cannot be used", "check path and mode"),
    "could not read root certificate": ("tls_ca cannot be used", "check path and mode"),
    "certificate file": ("tls_certificate cannot be used", "check path and mode"),
    "private key file": ("tls_key cannot be used", "its owner alone may read it: chmod 600"),
    "password authentication failed": ("the database rejects the login", _LOGIN),
    "no password supplied": ("the database asks for a password", _LOGIN),
    "no pg_hba.conf entry": ("the database does not let this machine in", _LOGIN),
    "pg_hba.conf rejects": ("the database does not let this machine in", _LOGIN),
    "authentication failed for user": ("the database rejects the login", _LOGIN),
    "authentication method": ("the database asks for another kind of login", _LOGIN),
    "is not permitted to log in": ("the database rejects the login", _LOGIN),
    "permission denied for database": ("the database rejects the login", _LOGIN),
    "does not exist": ("there is no such database or user", _LOGIN),
    "certificate verify failed": ("the database's certificate is not accepted", "check tls_ca"),
    "signature failure": ("the database's certificate is not accepted", "check tls_ca"),
    "alert": ("the database refuses our TLS", "check tls_certificate and tls_key, and whom it trusts"),
    "server certificate for": ("the database's certificate is of another name", "check host, and the certificate"),
    "does not match host name": ("the database's certificate is of another name", "check host, and the certificate"),
    "server does not support ssl": ("the database does not speak TLS", "switch it on there, or set tls"),
})  # fmt: skip


# A row may meet a broken page or a fault of the server every time, and no other row.
DOUBTFUL: Final = frozenset({"58", "XX"})
_TOLD: Final[Mapping[Blame, type[DeliveryError]]] = MappingProxyType({
    Blame.LINE: Unavailable,
    Blame.SETTINGS: Misdirected,
    Blame.ROW: DeliveryError,
    Blame.UNKNOWN: DeliveryError,
})  # fmt: skip


def blame(error: psycopg.Error) -> Blame:
    """Say whose fault an error of a statement is."""
    return _verdict(error)[0]


def translate(error: psycopg.Error) -> DeliveryError:
    """Return what an error means that no single row could be told to be at fault for.

    A plain DeliveryError where one of the rows must be: whoever has the batch looks for it.
    """
    whose, text, hint = _verdict(error)
    if whose is Blame.LINE:
        return Unavailable(f"{text} ({name_of(error)})", hint=hint, doubtful=(error.sqlstate or "")[:2] in DOUBTFUL)
    return _TOLD[whose](f"{text} ({name_of(error)})", hint=hint)


def translate_rowless(error: psycopg.Error) -> DeliveryError:
    """Return what an error means where no row of anybody's is to be looked for."""
    told = translate(error)
    return told if isinstance(told, Unavailable | Misdirected) else Unavailable(told.message, hint=told.hint)


def translate_connecting(error: psycopg.Error) -> DeliveryError:
    """Return what it means that no connection came about."""
    if error.sqlstate:
        return translate_rowless(error)
    said = " ".join(str(error).lower().split())
    for part, (text, hint) in SENTENCES.items():
        if part in said:
            return Misdirected(text, hint=hint)
    return Unavailable("the database cannot be reached", hint="check that it runs and that the line to it is up")


def name_of(error: psycopg.Error) -> str:
    """Return SQLSTATE and name of an error, or the name of its kind."""
    kind = type(error).__name__
    return f"{error.sqlstate} {kind}" if error.sqlstate else kind


def describe(error: psycopg.Error, table: str, column: str) -> str:
    """Return the sentence about a row at fault: names alone, no value."""
    at = error.diag.column_name or column
    place = f"column {at} of {table}" if at else table
    rule = f", rule {error.diag.constraint_name}" if error.diag.constraint_name else ""
    return f"PostgreSQL {name_of(error)}: {_verdict(error)[1]} ({place}{rule})"


def _verdict(error: psycopg.Error) -> tuple[Blame, str, str]:
    state = error.sqlstate or "08"
    return STATES.get(state) or STATES.get(state[:2]) or UNKNOWN
