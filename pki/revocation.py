"""Takes certificates back: the register first, then a new list in one step. Only inside `changing()`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from pki import disk
from pki.authority import CRL_DAYS, Authority, Revoked
from pki.errors import Damaged, Missing, Refused
from pki.layout import Layout
from pki.ledger import Entry, Ledger

REASONS = (
    "unspecified",
    "key_compromise",
    "affiliation_changed",
    "superseded",
    "cessation_of_operation",
    "privilege_withdrawn",
)


def chosen(layout: Layout, word: str, *, now: dt.datetime) -> list[Entry]:
    """Return what a lineage's name (all its certificates that have not ended) or a serial number stands for.

    Read from the register, so that the lineage's files may be lost. Raises Missing; Refused when nothing is left
    to revoke.
    """
    ledger = Ledger(layout.ledger)
    serial = _serial(word)
    named = [one for one in ledger.certificates() if one.lineage == word or one.serial == serial]
    if not named:
        hint = "see `appliance-pki list --all` for names and serial numbers"
        raise Missing(f"no certificate was given out as {word!r}", hint=hint)
    left = [one for one in named if one.serial not in _told(layout, ledger) and one.not_after > now]
    if not left:
        raise Refused(f"every certificate of {word!r} has ended or is revoked already", hint="there is nothing to do")
    return left


def _told(layout: Layout, ledger: Ledger) -> set[int]:
    """What is in register and list: a run that died between the two is repeated whole."""
    found = in_force(layout)
    return set(ledger.revocations()) & {one.serial for one in listed(found)} if found is not None else set()


def revoke(
    layout: Layout,
    authority: Authority,
    entries: Iterable[Entry],
    reason: str,
    *,
    now: dt.datetime,
    days: int = CRL_DAYS,
) -> x509.CertificateRevocationList:
    """Revoke certificates and write the new list; durable on return. May raise OSError; safe to repeat."""
    ledger = Ledger(layout.ledger)
    for one in entries:
        ledger.revoked(Revoked(one.serial, now.replace(microsecond=0), reason))
    return publish(layout, authority, now=now, days=days)


def publish(
    layout: Layout, authority: Authority, *, now: dt.datetime, days: int = CRL_DAYS
) -> x509.CertificateRevocationList:
    """Sign a new list of all that was ever revoked and put it in force, durably. A crash leaves the old one.

    What an earlier list names stays named, even if the register was lost.
    """
    before = in_force(layout)
    gone = known(layout, authority.certificate)
    # The clock makes numbers grow even if the list before was lost (RFC 5280, 5.2.3).
    number = max(int(now.timestamp()), number_of(before) + 1 if before is not None else 0)
    found = authority.revocation_list(gone.values(), number=number, now=now, days=days)
    disk.replace(layout.crl, found.public_bytes(serialization.Encoding.PEM))
    return found


def known(layout: Layout, authority: x509.Certificate) -> dict[int, Revoked]:
    """Return all that is revoked, by serial: what register or list (if the authority's) name. Raises Damaged."""
    found = in_force(layout)
    trusted = found is not None and found.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    named = {one.serial: one for one in listed(found)} if trusted and found is not None else {}
    return {**named, **Ledger(layout.ledger).revocations()}


def in_force(layout: Layout) -> x509.CertificateRevocationList | None:
    """Return the list in force, None if there is none. Raises Damaged."""
    return read(layout.crl)


def read(path: Path) -> x509.CertificateRevocationList | None:
    """Return the list in a file, None if there is no file. Raises Damaged."""
    try:
        return x509.load_pem_x509_crl(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        raise Damaged(f"{path} is no revocation list", hint="remove it and run: appliance-pki crl") from None


def facts(found: x509.CertificateRevocationList, now: dt.datetime) -> dict[str, object]:
    """Return a list's number, end and length for people and scripts."""
    ends = found.next_update_utc
    return {
        "number": number_of(found),
        "not_after": f"{ends:%Y-%m-%dT%H:%M:%SZ}" if ends else None,
        "days_left": (ends - now).days if ends else None,
        "revoked": len(found),
        "due": is_due(found, now),
    }


def listed(found: x509.CertificateRevocationList) -> list[Revoked]:
    """Return what a list names."""
    return [Revoked(one.serial_number, one.revocation_date_utc, _reason(one)) for one in found]


def number_of(found: x509.CertificateRevocationList) -> int:
    """Return a list's number; 0 if it has none."""
    try:
        return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def is_due(found: x509.CertificateRevocationList | None, now: dt.datetime) -> bool:
    """Tell whether a list is past two thirds of its life, or missing."""
    if found is None or found.next_update_utc is None:
        return True
    life = found.next_update_utc - found.last_update_utc
    return now >= found.last_update_utc + life * 2 / 3


def _reason(one: x509.RevokedCertificate) -> str:
    try:
        return one.extensions.get_extension_for_class(x509.CRLReason).value.reason.name
    except x509.ExtensionNotFound:
        return "unspecified"


def _serial(word: str) -> int | None:
    try:
        return int(word.replace(":", ""), 16)
    except ValueError:
        return None
