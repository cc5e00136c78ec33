"""The reception: logging in and out, setting up the first account, changing one's own password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from appliance.access import accounts, attempts
from appliance.access.accounts import Account
from appliance.access.audit import Fact, note
from appliance.access.faults import CLOSED, WRONG_CODE, WRONG_LOGIN, WRONG_PASSWORD, NotAdmitted
from appliance.access.names import account_name, new_password
from appliance.access.passwords import Passwords
from appliance.access.roles import Role
from appliance.access.sessions import Sessions
from appliance.access.setup import SetupCode
from appliance.archive.database import Database
from appliance.clock import Clock

# What attempts at the set-up code are counted under, by address; no account can have such a name.
SETUP = "/setup {address}"


class Reception:
    """Turns what a person types into a session. `address` is where the request came from."""

    def __init__(
        self, database: Database, clock: Clock, passwords: Passwords, sessions: Sessions, setup: SetupCode
    ) -> None:
        """Take everything a login touches."""
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._sessions = sessions
        self._setup = setup

    def log_in(self, name: str, password: str, address: str, replaced: str = "") -> str:
        """Return the token of a new session; the one of `replaced` ends.

        Raises NotAdmitted for a wrong name or password or a disabled account, all alike and after the
        same time; Locked, Crowded.
        """
        with self._attempt(name, address):
            account = self._known(name)
            if not self._passwords.verify(account.password if account else None, password) or account is None:
                self._fail(account, address)
                raise NotAdmitted(WRONG_LOGIN)
            renewed = self._passwords.hash(password) if self._passwords.is_dated(account.password) else ""
        now = self._clock.now()
        with self._database.write() as cx:
            current = accounts.by_number(cx, account.id)
            if current is None or not current.enabled or current.password != account.password:
                raise NotAdmitted(WRONG_LOGIN)
            attempts.succeed(cx, name, address)
            self._sessions.close(cx, replaced)
            cx.execute("UPDATE account SET login_at = ? WHERE id = ?", (now, account.id))
            if renewed:
                cx.execute("UPDATE account SET password = ? WHERE id = ?", (renewed, account.id))
            note(cx, now, Fact.LOGIN, account.name, address)
            return self._sessions.open(cx, now, account.id, address)

    def log_out(self, token: str, address: str) -> None:
        """End a session. Safe to repeat."""
        with self._database.write() as cx:
            name = self._sessions.close(cx, token)
            if name:
                note(cx, self._clock.now(), Fact.LOGOUT, name, address)

    def set_up(self, code: str, name: str, password: str, address: str) -> str:
        """Add an administrator with the set-up code, which is spent; return the token of a session.

        Raises NotAdmitted for a wrong or spent code, Unfit, NameTaken, Locked, Crowded.
        """
        counted = SETUP.format(address=address)
        with self._attempt(counted, address):
            with self._database.read() as cx:
                right = self._setup.matches(cx, code)
            if not right:
                self._fail(None, address)
                raise NotAdmitted(WRONG_CODE)
            spelled = account_name(name)
            encoded = self._passwords.hash(new_password(password, spelled))
        now = self._clock.now()
        with self._database.write() as cx:
            if not self._setup.matches(cx, code):
                raise NotAdmitted(WRONG_CODE)
            number = accounts.insert(cx, now, spelled, Role.ADMIN, encoded, address)
            self._setup.spend(cx)
            attempts.succeed(cx, counted, address)
            note(cx, now, Fact.SET_UP, spelled, address)
            return self._sessions.open(cx, now, number, address)

    def change_password(self, number: int, old: str, new: str, address: str) -> str:
        """Replace a person's own password; every session of theirs ends, and the token of a new one is returned.

        Raises NotAdmitted when `old` is not the password, Unfit, Locked, Crowded.
        """
        with self._database.read() as cx:
            account = accounts.by_number(cx, number)
        if account is None or not account.enabled:
            raise NotAdmitted(CLOSED)
        with self._attempt(account.name, address):
            if not self._passwords.verify(account.password, old):
                self._fail(account, address)
                raise NotAdmitted(WRONG_PASSWORD)
            encoded = self._passwords.hash(new_password(new, account.name))
        now = self._clock.now()
        with self._database.write() as cx:
            current = accounts.by_number(cx, account.id)
            if current is None or not current.enabled or current.password != account.password:
                raise NotAdmitted(CLOSED)
            accounts.set_password(cx, now, account.id, encoded)
            attempts.succeed(cx, account.name, address)
            note(cx, now, Fact.CHANGED, account.name, address)
            return self._sessions.open(cx, now, account.id, address)

    def _known(self, name: str) -> Account | None:
        """Return the account of a name if it may log in."""
        with self._database.read() as cx:
            account = accounts.find(cx, name)
        return account if account is not None and account.enabled else None

    @contextmanager
    def _attempt(self, name: str, address: str) -> Iterator[None]:
        """Count an attempt; one that ended otherwise than by a refusal does not count. Raises Locked."""
        now = self._clock.now()
        with self._database.write() as cx:
            attempts.begin(cx, now, name, address)
        try:
            yield
        except NotAdmitted:
            raise
        except Exception:
            with self._database.write() as cx:
                attempts.withdraw(cx, name, address)
            raise

    def _fail(self, account: Account | None, address: str) -> None:
        """Note a failure. A name that nobody has is not written: it may be a password in the wrong field."""
        with self._database.write() as cx:
            note(cx, self._clock.now(), Fact.FAILURE, account.name if account else "", address)
