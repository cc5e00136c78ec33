"""Roles and what each of them may do: one table, read by every door."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Permission(StrEnum):
    """Something that a request may need."""

    READ = "read"
    """See patients, studies, images and reports."""

    EXPORT = "export"
    """Take whole studies away, on a disc or a stick."""

    ANNOTATE = "annotate"
    """Add measurements, key images and presentation states to a study that is here."""

    STORE = "store"
    """Add objects of any kind, and studies."""

    OPERATE = "operate"
    """Work on what waits: deliveries, conflicts, quarantine."""

    ADMIN = "admin"
    """Decide who may do what."""

    MEASURE = "measure"
    """Read the numbers of this box; no patient is named in them."""

    OWN = "own"
    """Change one's own password. Sessions have it, tokens never."""


class Role(StrEnum):
    """What a person or program is here for."""

    VIEWER = "viewer"
    TECHNICIAN = "technician"
    ADMIN = "admin"
    MACHINE = "machine"
    MONITOR = "monitor"


# A person's roles; "monitor" is for the token of a program that collects numbers.
PERSONAL: Final = (Role.VIEWER, Role.TECHNICIAN, Role.ADMIN)
# What a token may have; "machine" is for modalities, which store and fetch, and show a certificate.
OF_TOKENS: Final = (*PERSONAL, Role.MONITOR)

_VIEWER: Final = frozenset({Permission.READ, Permission.EXPORT, Permission.ANNOTATE})
_TECHNICIAN: Final = _VIEWER | {Permission.STORE, Permission.OPERATE, Permission.MEASURE}

PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType({
    Role.VIEWER: _VIEWER,
    Role.TECHNICIAN: _TECHNICIAN,
    Role.ADMIN: _TECHNICIAN | {Permission.ADMIN},
    Role.MACHINE: frozenset({Permission.READ, Permission.ANNOTATE, Permission.STORE}),
    Role.MONITOR: frozenset({Permission.MEASURE}),
})  # fmt: skip
