"""Accounts of people: name, role, password hash, enabled or not."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.access import attempts
from appliance.access.audit import Fact, note
from appliance.access.faults import ACCOUNT_TAKEN, NameTaken
from appliance.access.names import account_name, folded, new_password
from appliance.access.passwords import Passwords
from appliance.access.roles import Role
from appliance.archive.database import Connection, Database, Row
from appliance.clock import Clock
from appliance.errors import NotFound

LIST = "SELECT id, name, role, enabled, created_at, changed_at, login_at FROM account ORDER BY name"


@dataclass(frozen=True, slots=True)
class Account:
    """One person's account. `password` is argon2's text."""

    id: int
    name: str
    role: Role
    password: str
    enabled: bool


class Accounts:
    """The accounts of one box."""

    def __init__(self, database: Database, clock: Clock, passwords: Passwords) -> None:
        """Take the database of access and the hasher of passwords."""
        self._database = database
        self._clock = clock
        self._passwords = passwords

    def list(self) -> list[Row]:
        """Return every account without its password, in the order of names."""
        with self._database.read() as cx:
            return cx.execute(LIST).fetchall()

    def add(self, name: str, role: Role, password: str) -> str:
        """Add an account; return its name as it is spelled. Durable on return. Raises Unfit, NameTaken."""
        spelled, encoded = self._prepared(name, password)
        with self._database.write() as cx:
            insert(cx, self._clock.now(), spelled, role, encoded)
        return spelled

    def enable(self, name: str) -> None:
        """Let an account log in again, at once. Safe to repeat. Raises NotFound."""
        with self._database.write() as cx:
            account = require(cx, name)
            cx.execute("UPDATE account SET enabled = 1 WHERE id = ?", (account.id,))
            attempts.forget(cx, account.name)
            note(cx, self._clock.now(), Fact.ENABLED, account.name)

    def disable(self, name: str) -> None:
        """End an account's sessions and let it open no more. Safe to repeat. Raises NotFound."""
        with self._database.write() as cx:
            account = require(cx, name)
            cx.execute("UPDATE account SET enabled = 0 WHERE id = ?", (account.id,))
            end_sessions(cx, account.id)
            note(cx, self._clock.now(), Fact.DISABLED, account.name)

    def set_role(self, name: str, role: Role) -> None:
        """Give an account another role; its sessions end. Nothing happens where it has the role. Raises NotFound."""
        with self._database.write() as cx:
            account = require(cx, name)
            if account.role == role:
                return
            cx.execute("UPDATE account SET role = ? WHERE id = ?", (role.value, account.id))
            end_sessions(cx, account.id)
            note(cx, self._clock.now(), Fact.ROLE, account.name, "", role.value)

    def reset(self, name: str, password: str) -> None:
        """Set another password, end every session, end the wait after failures. Raises NotFound, Unfit."""
        with self._database.read() as cx:
            require(cx, name)
        _, encoded = self._prepared(name, password)
        with self._database.write() as cx:
            account = require(cx, name)
            set_password(cx, self._clock.now(), account.id, encoded)
            attempts.forget(cx, account.name)
            note(cx, self._clock.now(), Fact.RESET, account.name)

    def count(self) -> int:
        """Return how many accounts there are."""
        with self._database.read() as cx:
            return int(cx.execute("SELECT count(*) FROM account").fetchone()[0])

    def _prepared(self, name: str, password: str) -> tuple[str, str]:
        spelled = account_name(name)
        return spelled, self._passwords.hash(new_password(password, spelled))


def find(cx: Connection, name: str) -> Account | None:
    """Return the account of a name in any spelling, None without one."""
    row = cx.execute("SELECT * FROM account WHERE name = ?", (folded(name),)).fetchone()
    return _account(row) if row else None


def by_number(cx: Connection, number: int) -> Account | None:
    """Return the account of a number, None without one."""
    row = cx.execute("SELECT * FROM account WHERE id = ?", (number,)).fetchone()
    return _account(row) if row else None


def require(cx: Connection, name: str) -> Account:
    """Return the account of a name. Raises NotFound."""
    account = find(cx, name)
    if account is None:
        raise NotFound("there is no account of this name", hint="appliance user list names them")
    return account


def insert(cx: Connection, now: int, name: str, role: Role, encoded: str, address: str = "") -> int:
    """Add an enabled account; return its number. Raises NameTaken."""
    if find(cx, name) is not None:
        raise NameTaken(ACCOUNT_TAKEN, hint="choose another name")
    found = cx.execute(
        "INSERT INTO account (name, role, password, enabled, created_at, changed_at) VALUES (?, ?, ?, 1, ?, ?)"
        " RETURNING id",
        (name, role.value, encoded, now, now),
    ).fetchall()
    note(cx, now, Fact.ADDED, name, address, role.value)
    return int(found[0][0])


def set_password(cx: Connection, now: int, number: int, encoded: str) -> None:
    """Replace a password's hash; every session that was opened with the old one ends."""
    cx.execute("UPDATE account SET password = ?, changed_at = ? WHERE id = ?", (encoded, now, number))
    end_sessions(cx, number)


def end_sessions(cx: Connection, number: int) -> None:
    """End every session of an account."""
    cx.execute("DELETE FROM session WHERE account_id = ?", (number,))


def _account(row: Row) -> Account:
    return Account(row["id"], row["name"], Role(row["role"]), row["password"], bool(row["enabled"]))
