"""Admission: which records of the shared topics are believed, and what row each of them is.

Brokers do not say who wrote a record, so its signature is held against the keys of the site it names, and the
site against the tenant it speaks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from appliance.central.record import Record
from appliance.central.registry import Registry, Site
from appliance.central.tables import FIELDS
from appliance.central.targets import Kind, Misdirected
from appliance.model.cloud_reading import Unreadable, parse_object, read_row
from appliance.model.records import Value

SIGNATURE: Final = "edge_signature"
SOURCE: Final = "ce_source"
SOURCE_PREFIX: Final = b"urn:dicom-edge:site:"
VERIFIERS_KEPT: Final = 4096


class Cause(StrEnum):
    """Why a record became a dead letter, for counting; the sentence beside it says more."""

    SIZE = "size"
    JSON = "json"
    FIELD = "field"
    SITE = "site"
    SIGNATURE = "signature"
    TENANT = "tenant"
    DATABASE = "database"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a record is refused; `reason` is a plain sentence without any value of the record."""

    cause: Cause
    reason: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """A record that is believed. `site` is whose signature it carries, "" where nobody signed: that proves nothing."""

    row: Mapping[str, Value]
    site: str = ""


class _Refused(Exception):
    """Carries a Rejection to the one place that returns it."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.rejection = Rejection(cause, reason)


class Admission:
    """Decides about one record after the other; the registry may change in between."""

    def __init__(self, registry: Registry, *, signed: bool, max_bytes: int) -> None:
        """`signed`: records without a signature are refused. `max_bytes`: the largest value that is read at all."""
        self._registry = registry
        self._signed = signed
        self._max_bytes = max_bytes
        self._verifiers = lru_cache(VERIFIERS_KEPT)(Site.verifiers)

    def check(self) -> None:
        """Raise Misdirected where no site can be found at all: then records are to wait, not to be refused."""
        if self._signed and not self._registry.names():
            hint = "check central.registry: the directory, its mount and its mode; see: appliance central site list"
            raise Misdirected("the registry has no site, or cannot be read", hint=hint)

    def admit(self, record: Record, kind: Kind) -> Admitted | Rejection:
        """Return what is believed of a record of a topic of `kind`. Never raises for what a record holds."""
        try:
            return self._admit(record, kind)
        except _Refused as refused:
            return refused.rejection

    def _admit(self, record: Record, kind: Kind) -> Admitted:
        value = record.value
        if value is None:
            raise _Refused(Cause.JSON, "the record has no value")
        if len(value) > self._max_bytes:
            raise _Refused(Cause.SIZE, f"the value is larger than {self._max_bytes} bytes")
        site = self._site(record, value)
        row = _row(value, kind)
        if site is not None and not site.speaks_for(str(row["tenant_id"])):
            raise _Refused(Cause.TENANT, "the site does not speak for this tenant")
        # A name without a signature is anybody's word, also where no signature is asked for.
        signed = site is not None and _header(record, SIGNATURE) is not None
        return Admitted(row, site.name if site is not None and signed else "")

    def _site(self, record: Record, value: bytes) -> Site | None:
        """Return the site that signed, or is named without a signature; None for nobody. Both only where allowed."""
        source, signature = _header(record, SOURCE), _header(record, SIGNATURE)
        if signature is None and self._signed:
            raise _Refused(Cause.SIGNATURE, "the record is not signed")
        if signature is None and source is None:
            return None
        site = self._named(source)
        if signature is None:
            return site
        verifiers = self._verifiers(site)
        if not verifiers:
            raise _Refused(Cause.SIGNATURE, "the site has no key to check its signature by")
        if not any(verifier.holds(value, signature) for verifier in verifiers):
            raise _Refused(Cause.SIGNATURE, "the signature is not the site's")
        return site

    def _named(self, source: bytes | None) -> Site:
        if source is None or not source.startswith(SOURCE_PREFIX):
            raise _Refused(Cause.SITE, "the record names no site")
        site = self._registry.site(source.removeprefix(SOURCE_PREFIX).decode("utf-8", "replace"))
        if site is None:
            raise _Refused(Cause.SITE, "the site is not registered, or disabled")
        return site


def _row(value: bytes, kind: Kind) -> Mapping[str, Value]:
    try:
        found = parse_object(value)
    except Unreadable as error:
        raise _Refused(Cause.JSON, str(error)) from None
    try:
        return read_row(found, FIELDS[kind])
    except Unreadable as error:
        raise _Refused(Cause.FIELD, str(error)) from None


def _header(record: Record, name: str) -> bytes | None:
    try:
        return record.header(name)
    except ValueError:
        raise _Refused(Cause.SIGNATURE, f"the record carries the header {name} twice") from None
