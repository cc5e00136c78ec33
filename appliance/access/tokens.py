"""API tokens: how programs prove who they are. Shown once, kept as a hash, revoked by name."""

from __future__ import annotations

from typing import Final

from appliance.access.audit import Fact, note
from appliance.access.faults import NameTaken
from appliance.access.identity import Identity, program
from appliance.access.names import account_name
from appliance.access.roles import Role
from appliance.access.secrets import new_token, token_hash
from appliance.archive.database import Database, Row
from appliance.clock import Clock
from appliance.errors import ArchiveError, NotFound
from appliance.logs import get_logger

MICROSECONDS: Final = 1_000_000
# That a token was used is written down this often at most.
TOUCH_SECONDS: Final = 3600

LIST = "SELECT id, name, role, created_at, expires_at, revoked_at, used_at FROM token ORDER BY name, id"


class Tokens:
    """The API tokens of one box."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Take the database of access."""
        self._database = database
        self._clock = clock

    def add(self, name: str, role: Role, seconds: int | None) -> str:
        """Make a token that lasts `seconds` (None: until it is revoked); return it, this once.

        Raises Unfit, and NameTaken while another token of the name is in use.
        """
        spelled, token, now = account_name(name), new_token(), self._clock.now()
        expires = None if seconds is None else now + seconds * MICROSECONDS
        with self._database.write() as cx:
            if cx.execute("SELECT 1 FROM token WHERE name = ? AND revoked_at IS NULL", (spelled,)).fetchone():
                raise NameTaken("there is a token of this name already", hint="revoke it first, or choose another name")
            cx.execute(
                "INSERT INTO token (name, role, token_hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                (spelled, role.value, token_hash(token), now, expires),
            )
            note(cx, now, Fact.TOKEN_ADDED, spelled, "", role.value)
        return token

    def list(self) -> list[Row]:
        """Return every token there has been, without what it is."""
        with self._database.read() as cx:
            return cx.execute(LIST).fetchall()

    def revoke(self, name: str) -> None:
        """Let a token open nothing any more. Raises NotFound."""
        spelled, now = account_name(name), self._clock.now()
        with self._database.write() as cx:
            revoked = cx.execute(
                "UPDATE token SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL", (now, spelled)
            ).rowcount
            if revoked:
                note(cx, now, Fact.TOKEN_REVOKED, spelled)
        if not revoked:
            raise NotFound("there is no token of this name in use", hint="appliance token list names them")

    def identify(self, token: str) -> Identity | None:
        """Return whose token it is; None for one that is over, revoked or never was."""
        hashed, now = token_hash(token), self._clock.now()
        if hashed is None:
            return None
        with self._database.read() as cx:
            row = cx.execute("SELECT * FROM token WHERE token_hash = ? AND revoked_at IS NULL", (hashed,)).fetchone()
        if row is None or (row["expires_at"] is not None and row["expires_at"] <= now):
            return None
        if now - (row["used_at"] or 0) >= TOUCH_SECONDS * MICROSECONDS:
            self._touch(row["id"], now)
        return program(row["name"], row["id"], Role(row["role"]))

    def _touch(self, number: int, now: int) -> None:
        try:
            with self._database.write() as cx:
                cx.execute("UPDATE token SET used_at = ? WHERE id = ?", (now, number))
        except ArchiveError as error:
            get_logger(__name__).warning("a token's use was not written down", reason=error.message)
