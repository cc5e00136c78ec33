"""Passwords: what may be one, what a hash is, and how many are made at once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from hypothesis import given
from hypothesis import strategies as st

from appliance.access.faults import Crowded, Unfit
from appliance.access.migrations import migrate
from appliance.access.names import account_name, folded, new_password
from appliance.access.passwords import MEMORY_KIB, TIME_COST, Passwords
from appliance.archive.database import connect
from appliance.errors import SchemaMismatch


def test_the_parameters_are_those_that_are_named() -> None:
    found = extract_parameters(Passwords().hash("a good sentence"))
    assert (found.type, found.time_cost, found.memory_cost) == (Type.ID, TIME_COST, MEMORY_KIB)
    assert (found.salt_len, found.hash_len, found.parallelism) == (16, 32, 1)


def test_only_the_password_is_right(passwords: Passwords) -> None:
    encoded = passwords.hash("cafe\u0301 au lait")
    assert passwords.verify(encoded, "caf\u00e9 au lait")  # however the keyboard composes it
    assert not passwords.verify(encoded, "cafe au lait")
    assert not passwords.verify(None, "nobody has this password")
    assert not passwords.verify("no hash", "x")
    assert not passwords.verify(encoded, "x" * 10**6)


def test_a_hash_with_other_parameters_is_dated(passwords: Passwords) -> None:
    assert passwords.is_dated(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("x"))
    assert not passwords.is_dated(passwords.hash("x"))


def test_a_flood_is_turned_away_before_it_takes_memory() -> None:
    class Slow(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            entered.release()
            assert leave.wait(20)
            return True

    entered, leave = threading.Semaphore(0), threading.Event()
    passwords = Passwords(Slow(time_cost=1, memory_cost=8, parallelism=1), at_once=2, waiting=1)
    threads = [threading.Thread(target=passwords.verify, args=("x", "y")) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert entered.acquire(timeout=10)
        assert entered.acquire(timeout=10)
        assert not entered.acquire(timeout=0.05)  # the third waits for its turn
        with pytest.raises(Crowded):
            passwords.verify("x", "y")
    finally:
        leave.set()
        for thread in threads:
            thread.join(20)
    assert passwords.verify("x", "y")


@pytest.mark.parametrize("text", ["short", "x" * 257, "aaaaaaaaaaaa", "my name is ANN", "abababababab"])
def test_what_is_no_password_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(Unfit) as refused:
        new_password(text, "ann")
    assert text not in refused.value.message


@pytest.mark.parametrize("text", ["", " ", "a/b", "a\nb", "x" * 65, ".ann", "<b>", "a\u202eb"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        account_name(text)


@pytest.mark.parametrize(
    ("text", "name"), [(" Ann.Lee ", "ann.lee"), ("王小明", "王小明"), ("ＡＮＮ", "ann"), ("a", "a")]
)
def test_a_name_has_one_spelling(text: str, name: str) -> None:
    assert account_name(text) == name


@given(st.text(max_size=80))
def test_any_text_can_be_looked_up(text: str) -> None:
    try:
        assert account_name(text) == folded(text)
    except Unfit:
        assert isinstance(folded(text), str)


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    migrate(tmp_path / "access.db")
    migrate(tmp_path / "access.db")
    assert (tmp_path / "access.db").stat().st_mode & 0o777 & ~0o640 == 0
    cx = connect(tmp_path / "access.db")
    cx.execute("PRAGMA user_version = 99")
    cx.close()
    with pytest.raises(SchemaMismatch):
        migrate(tmp_path / "access.db")
