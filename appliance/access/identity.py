"""Who somebody has been found to be."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.access.roles import PERMISSIONS, Permission, Role


@dataclass(frozen=True, slots=True)
class Identity:
    """A person or program whose proof was checked.

    `subject` names it for ever: "account:3", "token:7", "certificate:9f86…".
    """

    name: str
    subject: str
    permissions: frozenset[Permission]


# A stranger, on a route that is everybody's.
NOBODY = Identity("", "", frozenset())

# Where there are no logins, everybody who reaches the loopback address may do everything, and is nobody.
ANYBODY = Identity("", "", PERMISSIONS[Role.ADMIN])


def person(name: str, account: int, role: Role) -> Identity:
    """Return the identity of somebody who has logged in."""
    return Identity(name, f"account:{account}", PERMISSIONS[role] | {Permission.OWN})


def machine(name: str, fingerprint: str, role: Role) -> Identity:
    """Return the identity of the holder of a client certificate, by its SHA-256."""
    return Identity(name, f"certificate:{fingerprint}", PERMISSIONS[role])


def program(name: str, token: int, role: Role) -> Identity:
    """Return the identity of the holder of an API token."""
    return Identity(name, f"token:{token}", PERMISSIONS[role])
