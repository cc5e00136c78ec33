"""Root works as the owner of the home: what a command makes there must be the rooms' own to read and to write.

Only root is concerned. Whoever else runs a verb is whom they are, and is refused by the file system where that is due.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Identity:
    """A user with their groups, as the kernel checks them."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    @classmethod
    def of_now(cls) -> Self:
        """Who this process acts as."""
        return cls(os.geteuid(), os.getegid(), tuple(os.getgroups()))

    @classmethod
    def owning(cls, path: Path) -> Self:
        """The owner of `path`, with the groups that the system's user list gives them. Raises OSError."""
        found = path.stat()
        try:
            name = pwd.getpwuid(found.st_uid).pw_name
        except KeyError:
            return cls(found.st_uid, found.st_gid, ())
        return cls(found.st_uid, found.st_gid, tuple(os.getgrouplist(name, found.st_gid)))

    def assume(self) -> None:
        """Act as this user in every thread; takes root, or to have been root."""
        os.seteuid(0)
        os.setgroups(self.groups)
        os.setegid(self.gid)
        os.seteuid(self.uid)


@contextmanager
def acting_for(home: Path) -> Iterator[None]:
    """Act as the owner of `home` while inside, where root is who runs this; no other home is touched."""
    before = Identity.of_now()
    if before.uid != 0 or not home.exists() or home.stat().st_uid == 0:
        yield
        return
    Identity.owning(home).assume()
    try:
        yield
    finally:
        before.assume()


@contextmanager
def acting_as_caller() -> Iterator[None]:
    """Inside `acting_for`: act as who started the command, for files that are theirs."""
    before = Identity.of_now()
    if os.getuid() == before.uid:
        yield
        return
    os.seteuid(os.getuid())
    os.setegid(os.getgid())
    try:
        yield
    finally:
        before.assume()


def become_owner(home: Path) -> None:
    """Be the owner of `home` for good, where root is who runs this: for a room, which needs nothing of root."""
    if os.geteuid() != 0 or not home.exists() or home.stat().st_uid == 0:
        return
    owner = Identity.owning(home)
    os.setgroups(owner.groups)
    os.setresgid(owner.gid, owner.gid, owner.gid)
    os.setresuid(owner.uid, owner.uid, owner.uid)
