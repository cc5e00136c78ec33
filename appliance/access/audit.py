"""The audit: who logged in, who failed to, who changed what. Bounded; the oldest lines give way."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from appliance.archive.database import Connection, Database, Row
from appliance.logs import get_logger

MOST_LINES: Final = 20_000
# Not at every line: deleting one costs as much as writing one.
SLACK_LINES: Final = 500


class Fact(StrEnum):
    """What a line states."""

    LOGIN = "login"
    LOGOUT = "logout"
    FAILURE = "failure"
    SET_UP = "set up"
    CODE_MADE = "set-up code made"
    ADDED = "account added"
    ENABLED = "account enabled"
    DISABLED = "account disabled"
    RESET = "password reset"
    ROLE = "role set"
    CHANGED = "password changed"
    TOKEN_ADDED = "token added"
    TOKEN_REVOKED = "token revoked"


def note(cx: Connection, now: int, fact: Fact, name: str, address: str = "", detail: str = "") -> None:
    """Append a line, in the transaction that makes it true; what came over the network is said in the log, too."""
    number = cx.execute(
        "INSERT INTO audit (at, fact, name, address, detail) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (now, fact.value, name, address, detail),
    ).fetchall()[0][0]
    if number % SLACK_LINES == 0:
        cx.execute("DELETE FROM audit WHERE id <= ?", (number - MOST_LINES,))
    if address:
        get_logger(__name__).info(fact.value, account=name, address=address, detail=detail)


def lines(database: Database, limit: int) -> list[Row]:
    """Return the newest lines first."""
    with database.read() as cx:
        return cx.execute(
            "SELECT at AS noted_at, fact, name, address, detail FROM audit ORDER BY id DESC LIMIT ?", (limit,)
        ).fetchall()
