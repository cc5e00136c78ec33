"""Attempts to log in: each is counted before it is looked at, and failures make the next one wait.

Counting first means that a hundred guesses at once are a hundred guesses. Names that nobody has are
counted as those that somebody has, so that the wait tells nothing about who has an account.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from appliance.access.faults import Locked
from appliance.access.names import folded
from appliance.access.secrets import digest
from appliance.archive.database import Connection

MICROSECONDS: Final = 1_000_000
MOST_SUBJECTS: Final = 10_000
# What one customer of a provider, or one wall socket, is given.
IPV6_NETWORK: Final = 64


@dataclass(frozen=True, slots=True)
class Patience:
    """`free` attempts may fail; after that the wait doubles from one second up to `longest`.

    What failed longer than `memory` ago is forgotten. Times are seconds.
    """

    free: int
    longest: int
    memory: int

    def wait(self, failures: int) -> int:
        """Return the seconds until the next attempt, after so many failures."""
        beyond = failures - self.free
        return 0 if beyond <= 0 else min(self.longest, 1 << min(beyond - 1, 30))


# The wait of a name stays short: anybody on the network can make it happen to somebody else. Several
# people may share an address, but one who guesses at many names comes from one.
PATIENCE: Final[Mapping[str, Patience]] = MappingProxyType({
    "name": Patience(free=5, longest=300, memory=24 * 3600),
    "address": Patience(free=10, longest=900, memory=3600),
})  # fmt: skip


def begin(cx: Connection, now: int, name: str, address: str) -> None:
    """Count an attempt as failed until `succeed`. Raises Locked while name or address have to wait.

    `now` is in microseconds. The error leaves nothing counted, so that waiting ends for those who ask again.
    """
    subjects = _subjects(name, address)
    left = max(_left(cx, now, kind, subject) for kind, subject in subjects)
    if left:
        raise Locked(left)
    for kind, subject in subjects:
        _count(cx, now, kind, subject)
    cx.execute(
        "DELETE FROM failure WHERE at < (SELECT at FROM failure ORDER BY at DESC LIMIT 1 OFFSET ?)", (MOST_SUBJECTS,)
    )


def succeed(cx: Connection, name: str, address: str) -> None:
    """Forget the failures of a name, and that the last attempt of the address counted as one."""
    withdraw(cx, name, address)
    forget(cx, name)


def withdraw(cx: Connection, name: str, address: str) -> None:
    """Count the last attempt as none: it was not looked at, or it succeeded."""
    for subject in _subjects(name, address):
        cx.execute(
            "UPDATE failure SET count = count - 1, locked_until = 0 WHERE kind = ? AND subject = ? AND count > 0",
            subject,
        )


def forget(cx: Connection, name: str) -> None:
    """End the wait of a name."""
    cx.execute("DELETE FROM failure WHERE kind = 'name' AND subject = ?", (_subjects(name, "")[0][1],))


def _subjects(name: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("name", digest(folded(name))), ("address", _place(address))


def _place(address: str) -> str:
    """Return where attempts come from: of IPv6 the network, in which one machine has as many addresses as it likes."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.IPv6Network((int(found), IPV6_NETWORK), strict=False))


def _left(cx: Connection, now: int, kind: str, subject: str) -> int:
    row = cx.execute("SELECT locked_until FROM failure WHERE kind = ? AND subject = ?", (kind, subject)).fetchone()
    left = -((now - row[0]) // MICROSECONDS) if row else 0
    # A longer wait than the longest was written by a clock that has been set back since.
    return left if 0 < left <= PATIENCE[kind].longest else 0


def _count(cx: Connection, now: int, kind: str, subject: str) -> None:
    patience = PATIENCE[kind]
    row = cx.execute("SELECT count, at FROM failure WHERE kind = ? AND subject = ?", (kind, subject)).fetchone()
    remembered = row is not None and abs(now - row["at"]) < patience.memory * MICROSECONDS
    count = (row["count"] if remembered else 0) + 1
    cx.execute(
        "INSERT INTO failure (kind, subject, count, at, locked_until) VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT (kind, subject) DO UPDATE SET count = ?3, at = ?4, locked_until = ?5",
        (kind, subject, count, now, now + patience.wait(count) * MICROSECONDS),
    )
