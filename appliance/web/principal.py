"""Who is asking: the one place where a request gets its identity."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from flask import Request

from appliance.archive.settings import ArchiveSettings


class Role(StrEnum):
    """What a principal may do."""

    READ = "read"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or program, within one tenant of one site. `name` is for the records of the archive."""

    site: str
    tenant: str
    name: str
    roles: frozenset[Role]


def principal_of(request: Request, settings: ArchiveSettings) -> Principal:
    """Return who sends `request`. There are no logins yet: everyone on this machine may read and store."""
    return Principal(settings.site, settings.tenant, "", frozenset(Role))
