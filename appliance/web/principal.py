"""Who is asking, as every handler sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import g

from appliance.access.roles import Permission


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or program, within one tenant of one site.

    `name` is for the records of the archive, "" where there are no logins. `identity` tells accounts, tokens and
    certificates apart for ever, also when a name is given to somebody else later: "account:3", "token:7".
    """

    site: str
    tenant: str
    name: str
    identity: str
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        """Say whether this principal has a permission."""
        return permission in self.permissions


def principal() -> Principal:
    """Return who sends the request in hand. Handlers are called for nobody else than a principal."""
    return cast(Principal, g.principal)
