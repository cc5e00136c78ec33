"""The book of who may look: accounts, sessions, tokens and the audit of one box, in access.db."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final, Self

from appliance.access import audit
from appliance.access.accounts import Accounts
from appliance.access.migrations import migrate
from appliance.access.passwords import Passwords
from appliance.access.reception import Reception
from appliance.access.sessions import Lifetimes, Sessions
from appliance.access.setup import SetupCode
from appliance.access.tokens import Tokens
from appliance.archive.database import Database, Row
from appliance.clock import Clock, SystemClock

FILE: Final = "access.db"
# A megabyte of log; there is no housekeeper here, and what is written is little.
CHECKPOINT_PAGES: Final = 256


class Book:
    """The parts of access, over one database. Safe to use from many threads; a context manager.

    `home` has to be there; the database is made where it is not, and upgraded where it is older.
    """

    def __init__(
        self, home: Path, clock: Clock | None = None, lifetimes: Lifetimes | None = None,
        passwords: Passwords | None = None,
    ) -> None:  # fmt: skip
        """Open the book of a home. Raises SchemaMismatch, ArchiveError."""
        clock = clock or SystemClock()
        migrate(home / FILE)
        self._database = Database(home / FILE, checkpoint_pages=CHECKPOINT_PAGES)
        passwords = passwords or Passwords()
        self.sessions = Sessions(self._database, clock, lifetimes or Lifetimes())
        self.accounts = Accounts(self._database, clock, passwords)
        self.tokens = Tokens(self._database, clock)
        self.setup = SetupCode(self._database, clock)
        self.reception = Reception(self._database, clock, passwords, self.sessions, self.setup)

    def audit(self, limit: int) -> list[Row]:
        """Return the newest lines of the audit, the newest first."""
        return audit.lines(self._database, limit)

    def close(self) -> None:
        """Close the database."""
        self._database.checkpoint(truncate=True)
        self._database.close()

    def __enter__(self) -> Self:
        """Return the book."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
