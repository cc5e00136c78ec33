"""The set-up code: whoever has a shell on the box makes it, whoever types it becomes an administrator, once."""

from __future__ import annotations

import hmac
from typing import Final

from appliance.access.audit import Fact, note
from appliance.access.secrets import code_hash, new_code
from appliance.archive.database import Connection, Database
from appliance.clock import Clock

MICROSECONDS: Final = 1_000_000
VALID_HOURS: Final = 24


class SetupCode:
    """The one set-up code of a box, if there is one."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Take the database of access."""
        self._database = database
        self._clock = clock

    def make(self) -> str:
        """Make a code, valid for a day and for one account; the one before is void. Return it, this once."""
        code, now = new_code(), self._clock.now()
        with self._database.write() as cx:
            cx.execute(
                "INSERT INTO setup_code (id, code_hash, expires_at) VALUES (1, ?1, ?2) ON CONFLICT (id)"
                " DO UPDATE SET code_hash = ?1, expires_at = ?2",
                (code_hash(code), now + VALID_HOURS * 3600 * MICROSECONDS),
            )
            note(cx, now, Fact.CODE_MADE, "")
        return code

    def is_due(self) -> bool:
        """Say whether a code waits to be used."""
        with self._database.read() as cx:
            return self._hash(cx) is not None

    def matches(self, cx: Connection, code: str) -> bool:
        """Say whether this is the code."""
        wanted = self._hash(cx)
        return hmac.compare_digest(wanted or "", code_hash(code)) and wanted is not None

    def spend(self, cx: Connection) -> None:
        """Make the code void, in the transaction that adds the account."""
        cx.execute("DELETE FROM setup_code")

    def _hash(self, cx: Connection) -> str | None:
        now = self._clock.now()
        latest = now + VALID_HOURS * 3600 * MICROSECONDS
        row = cx.execute(
            "SELECT code_hash FROM setup_code WHERE expires_at > ? AND expires_at <= ?", (now, latest)
        ).fetchone()
        return str(row[0]) if row else None
