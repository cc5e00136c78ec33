"""Renews what is past two thirds of its life. A timer repeats it: a second run finds nothing to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509

from pki import issuing, keys, lineage
from pki.authority import Authority
from pki.errors import Damaged, PkiError
from pki.layout import Layout
from pki.lineage import REQUEST, Generation
from pki.profiles import SIGNING

# A renewal that wins less than this is none: the authority's own end is near.
WORTHWHILE = dt.timedelta(days=1)


class Verdict(StrEnum):
    """What renewal makes of one lineage."""

    NOT_DUE = "not due"
    RENEW = "renew"
    REVOKED = "revoked"
    FOREIGN_KEY = "needs a new request"
    AUTHORITY_ENDS = "the authority ends first"


@dataclass(frozen=True, slots=True)
class State:
    """What the verdict depends on."""

    due: bool
    revoked: bool
    foreign_key: bool
    gains: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """One lineage after a run: the verdict, the error that stopped it, what is live now."""

    name: str
    verdict: Verdict
    live: Generation
    error: PkiError | OSError | None = None


def due_at(certificate: x509.Certificate) -> dt.datetime:
    """Return when two thirds of a certificate's life are over."""
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_before_utc + life * 2 / 3


def verdict(state: State, *, force: bool = False, reuse_key: bool = False) -> Verdict:
    """Decide. A revoked certificate is never renewed, forced or not: a timer must not let a stolen box back in."""
    if not state.due and not force:
        return Verdict.NOT_DUE
    if state.revoked:
        return Verdict.REVOKED
    if state.foreign_key and not reuse_key:
        return Verdict.FOREIGN_KEY
    return Verdict.RENEW if state.gains or force else Verdict.AUTHORITY_ENDS


def renew(
    layout: Layout,
    authority: Authority,
    generations: Collection[Generation],
    revoked: Collection[int],
    *,
    now: dt.datetime,
    force: bool = False,
    reuse_key: bool = False,
) -> list[Outcome]:
    """Renew each of `generations` that is due: same names, same profile, a new key unless `reuse_key`.

    One that fails keeps what it has, and the others go on. Only inside `layout.changing()`.
    """
    outcomes = []
    for one in generations:
        found = Verdict.RENEW
        try:
            found = _verdict(one, authority, revoked, now, force=force, reuse_key=reuse_key)
            live = _renewed(layout, authority, one, now=now, reuse_key=reuse_key) if found is Verdict.RENEW else one
            outcomes.append(Outcome(one.name, found, live))
        except (PkiError, OSError) as error:
            outcomes.append(Outcome(one.name, found, one, error))
    return outcomes


def _verdict(
    one: Generation, authority: Authority, revoked: Collection[int], now: dt.datetime, *, force: bool, reuse_key: bool
) -> Verdict:
    if one.profile == SIGNING:
        # It has no end, and a new one has to be told to the centre first.
        return Verdict.RENEW if force else Verdict.NOT_DUE
    return verdict(state_of(one, authority, revoked, now), force=force, reuse_key=reuse_key)


def state_of(one: Generation, authority: Authority, revoked: Collection[int], now: dt.datetime) -> State:
    """Return what the verdict on a lineage depends on. Raises Damaged."""
    certificate = one.certificate
    latest = min(authority.certificate.not_valid_after_utc, now + dt.timedelta(days=one.record.order.days))
    return State(
        due=now >= due_at(certificate),
        revoked=certificate.serial_number in revoked,
        foreign_key=one.record.source == REQUEST,
        gains=latest > certificate.not_valid_after_utc + WORTHWHILE,
    )


def _renewed(layout: Layout, authority: Authority, one: Generation, *, now: dt.datetime, reuse_key: bool) -> Generation:
    record = one.record
    if record.order.profile == SIGNING:
        return issuing.signing_key(layout, record.order.name, group=record.group)
    if record.source == REQUEST:
        public_key = keys.acceptable(one.certificate.public_key())
        return issuing.certify(layout, authority, record, public_key, now=now)
    key = lineage.private_key(one) if reuse_key else None
    if key is not None and not isinstance(key, keys.Issuing):
        raise Damaged(f"{one.key} is a key of another kind", hint="renew it without --reuse-key")
    return issuing.issue(layout, authority, record, now=now, key=key)
