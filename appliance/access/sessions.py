"""Sessions: opened by a login, ended by a logout, by silence, by age, or with the account's password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance.access.identity import Identity, person
from appliance.access.roles import Role
from appliance.access.secrets import new_session, session_hash
from appliance.archive.database import Connection, Database
from appliance.clock import Clock
from appliance.errors import ArchiveError
from appliance.logs import get_logger

MICROSECONDS: Final = 1_000_000
# Of one account; the oldest gives way.
MOST_SESSIONS: Final = 20
# That a session was used is written down this often at most, or a tenth of the idle time.
TOUCH_SECONDS: Final = 60.0

FIND = """
SELECT s.created_at, s.seen_at, a.id, a.name, a.role FROM session s JOIN account a ON a.id = s.account_id
WHERE s.token_hash = ? AND a.enabled = 1
"""

EXPIRED = "DELETE FROM session WHERE created_at <= ? OR seen_at <= ? OR created_at > ?"

SUPERNUMERARY = """
DELETE FROM session WHERE account_id = ?1 AND created_at < (
  SELECT created_at FROM session WHERE account_id = ?1 ORDER BY created_at DESC LIMIT 1 OFFSET ?2)
"""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When a session ends by itself: so long after its last use, so long after it began. Seconds."""

    idle: float = 1800.0
    absolute: float = 43200.0


class Sessions:
    """The sessions of one box."""

    def __init__(self, database: Database, clock: Clock, lifetimes: Lifetimes) -> None:
        """Take the database of access and how long sessions last."""
        self._database = database
        self._clock = clock
        self._lifetimes = lifetimes

    def identify(self, token: str, *, idle: bool = False) -> Identity | None:
        """Return whose session a token is; None for one that is over or never was.

        Unless the request is `idle`, the session counts as used now.
        """
        hashed = session_hash(token)
        if hashed is None:
            return None
        now = self._clock.now()
        with self._database.read() as cx:
            row = cx.execute(FIND, (hashed,)).fetchone()
        if row is None or not self._is_alive(row["created_at"], row["seen_at"], now):
            return None
        if not idle and now - row["seen_at"] >= self._touch_after:
            self._touch(hashed, now)
        return person(row["name"], row["id"], Role(row["role"]))

    def open(self, cx: Connection, now: int, account: int, address: str) -> str:
        """Open a session; return its token, which is kept nowhere. What is over goes on this occasion."""
        token = new_session()
        oldest, silent = now - self._microseconds(self._lifetimes.absolute), now - self._idle
        cx.execute(EXPIRED, (oldest, silent, now))
        cx.execute(
            "INSERT INTO session (token_hash, account_id, created_at, seen_at, address) VALUES (?, ?, ?, ?, ?)",
            (session_hash(token), account, now, now, address),
        )
        cx.execute(SUPERNUMERARY, (account, MOST_SESSIONS - 1))
        return token

    def close(self, cx: Connection, token: str) -> str:
        """End a session; return the name of its account, "" when it was over."""
        row = cx.execute(FIND, (session_hash(token),)).fetchone()
        cx.execute("DELETE FROM session WHERE token_hash = ?", (session_hash(token),))
        return str(row["name"]) if row else ""

    @property
    def _idle(self) -> int:
        return self._microseconds(self._lifetimes.idle)

    @property
    def _touch_after(self) -> int:
        return min(self._microseconds(TOUCH_SECONDS), self._idle // 10)

    def _is_alive(self, created: int, seen: int, now: int) -> bool:
        return now - seen < self._idle and now - created < self._microseconds(self._lifetimes.absolute)

    def _touch(self, hashed: str, now: int) -> None:
        try:
            with self._database.write() as cx:
                cx.execute("UPDATE session SET seen_at = ? WHERE token_hash = ?", (now, hashed))
        except ArchiveError as error:
            # Reading must go on while the disk is full; the session may end a little early.
            get_logger(__name__).warning("a session's use was not written down", reason=error.message)

    @staticmethod
    def _microseconds(seconds: float) -> int:
        return round(seconds * MICROSECONDS)
