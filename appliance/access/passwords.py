"""Passwords: argon2id, with a bound on how many are hashed at once.

Each hash takes MEMORY_KIB on purpose. Without the bound a flood of logins would take all memory of the
box, and with it the doors that images come in by.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from appliance.access.faults import Crowded
from appliance.access.names import LONGEST_PASSWORD, spelled

# RFC 9106, 4: the second recommended option, with one lane, because two processors serve everything here.
TIME_COST: Final = 3
MEMORY_KIB: Final = 64 << 10
LANES: Final = 1
SALT_BYTES: Final = 16
HASH_BYTES: Final = 32

AT_ONCE: Final = 2
WAITING: Final = 4
WAIT_SECONDS: Final = 10.0


class Passwords:
    """Hashes and checks passwords. Safe to share between threads; at most `at_once` work at a time."""

    def __init__(self, hasher: PasswordHasher | None = None, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        """Take another hasher only in tests, where the cost is not the subject."""
        self._hasher = hasher or PasswordHasher(TIME_COST, MEMORY_KIB, LANES, HASH_BYTES, SALT_BYTES, type=Type.ID)
        self._working = threading.BoundedSemaphore(at_once)
        self._admitted = threading.BoundedSemaphore(at_once + waiting)
        # Somebody without an account costs as much time as somebody with one.
        self._nobody = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """Return the text that `verify` takes; it holds the parameters. Raises Crowded."""
        with self._turn():
            return self._hasher.hash(spelled(password))

    def verify(self, encoded: str | None, password: str) -> bool:
        """Say whether a password is the one of `encoded`; None costs the same and is never right. Raises Crowded."""
        if len(password) > LONGEST_PASSWORD:
            password = ""  # nobody's, and cheap to look at
        with self._turn():
            try:
                self._hasher.verify(encoded or self._nobody, spelled(password))
            except (VerificationError, InvalidHashError):
                return False
        return encoded is not None

    def is_dated(self, encoded: str) -> bool:
        """Say whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(encoded)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._admitted.acquire(blocking=False):
            raise Crowded
        try:
            if not self._working.acquire(timeout=WAIT_SECONDS):
                raise Crowded
            try:
                yield
            finally:
                self._working.release()
        finally:
            self._admitted.release()
