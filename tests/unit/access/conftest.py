"""A book of accounts whose passwords are cheap to hash, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from appliance.access.book import Book
from appliance.access.passwords import Passwords
from appliance.access.sessions import Lifetimes
from tests.clocks import FakeClock


@pytest.fixture(scope="session")
def passwords() -> Passwords:
    """A hasher that costs next to nothing."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def book(tmp_path: Path, clock: FakeClock, passwords: Passwords) -> Iterator[Book]:
    """An empty book; sessions end after 100 idle seconds, or 1,000 in all."""
    with Book(tmp_path, clock, Lifetimes(100, 1000), passwords) as opened:
        yield opened
