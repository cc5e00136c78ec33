"""Looks at everything that was made: what is broken, what is due, what is well. Changes nothing."""

from __future__ import annotations

import datetime as dt
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from pki import constraints, disk, keys, lineage, revocation
from pki.authority import BACKDATED, Revoked
from pki.errors import Damaged, Missing, PkiError
from pki.layout import Layout
from pki.ledger import Ledger
from pki.lineage import OWN, Generation
from pki.names import MACHINE_URI
from pki.profiles import SIGNING
from pki.renewal import due_at


class Grade(IntEnum):
    """How bad it is; the worst of all is the exit code."""

    OK = 0
    WARNING = 1
    BROKEN = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at, and what to do."""

    grade: Grade
    text: str
    hint: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What a lineage is held against; `machine` (this one's hash) and `registered` are None where of no matter."""

    authority: x509.Certificate
    now: dt.datetime
    owner: int
    revoked: frozenset[int] = frozenset()
    machine: str | None = None
    registered: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One subject: facts for people and scripts, findings, worst grade."""

    name: str
    facts: dict[str, object]
    findings: list[Finding] = field(default_factory=list)

    @property
    def grade(self) -> Grade:
        """The worst of its findings."""
        return max((one.grade for one in self.findings), default=Grade.OK)


Check = Callable[[Generation, Sight], Iterator[Finding]]


def everything(layout: Layout, now: dt.datetime) -> list[Report]:
    """Report on the authority, the revocation list and every lineage. Raises Missing where there is no authority."""
    certificate = layout.certificate()
    owner = layout.root.stat().st_uid
    reports = [_authority(layout, certificate, now, owner), _list(layout, certificate, now)]
    sight = Sight(certificate, now, owner)
    try:
        ledger = Ledger(layout.ledger)
        registered = frozenset(one.serial for one in ledger.certificates())
        revoked = frozenset(revocation.known(layout, certificate))
        sight = Sight(certificate, now, owner, revoked, registered=registered)
    except PkiError as error:
        reports.append(Report("ledger", {}, [_broken(error)]))
    return reports + [lineage_report(one, sight) for one in lineage.all_of(layout)]


def folder(path: Path, now: dt.datetime, machine: str, crl: Path | None) -> Report:
    """Report on files that were carried here (`export --form folder`): they must be meant for this machine.

    Raises PkiError for a folder without a readable chain.pem or list.
    """
    carried = Generation(path.name, path, carried=True)
    chain = carried.read("chain.pem")
    revoked = frozenset(one.serial for one in _carried_list(crl, chain)) if crl else frozenset()
    return lineage_report(carried, Sight(chain, now, path.stat().st_uid, revoked, machine))


def lineage_report(one: Generation, sight: Sight) -> Report:
    """Report on one generation."""
    report = Report(one.name, {"directory": str(one.directory)})
    try:
        report.facts["profile"] = one.profile
        if one.profile != SIGNING:
            report.facts.update(certificate_facts(one.certificate, sight.now))
        for check in (_key_file,) if one.profile == SIGNING else CHECKS:
            report.findings.extend(check(one, sight))
    except PkiError as error:
        report.findings.append(_broken(error))
    return report


def certificate_facts(certificate: x509.Certificate, now: dt.datetime) -> dict[str, object]:
    """Return what people ask first about a certificate."""
    left = certificate.not_valid_after_utc - now
    return {
        "subject": certificate.subject.rfc4514_string(),
        "names": said_names(certificate),
        "serial": f"{certificate.serial_number:040x}",
        "key": keys.described(certificate.public_key()),
        "not_after": f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        "days_left": left.days,
        "due": now >= due_at(certificate),
    }


def said_names(certificate: x509.Certificate) -> list[str]:
    """Return a certificate's alternative names as text. Raises Damaged."""
    return [str(one.value) for one in _alternative_names(certificate) or ()]


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Damaged(f"its names cannot be read: {error}", hint="issue it anew") from None


def _chain(one: Generation, sight: Sight) -> Iterator[Finding]:
    try:
        one.certificate.verify_directly_issued_by(sight.authority)
    except (ValueError, TypeError, InvalidSignature):
        yield Finding(Grade.BROKEN, "it is not signed by this authority", "issue it anew")
        return
    found = one.certificates("fullchain.pem")
    if found != [one.certificate, sight.authority]:
        yield Finding(Grade.BROKEN, "fullchain.pem is not the certificate and its authority", "renew it with --force")


def _life(one: Generation, sight: Sight) -> Iterator[Finding]:
    certificate = one.certificate
    if sight.now < certificate.not_valid_before_utc:
        yield Finding(Grade.BROKEN, f"it begins at {certificate.not_valid_before_utc}", "check this machine's clock")
    elif sight.now >= certificate.not_valid_after_utc:
        yield Finding(Grade.BROKEN, f"it ended at {certificate.not_valid_after_utc}", "renew it")
    elif sight.now >= due_at(certificate):
        yield Finding(Grade.WARNING, "two thirds of its life are over", "renew it")


def _names(one: Generation, sight: Sight) -> Iterator[Finding]:
    found = _alternative_names(one.certificate)
    if found is None:
        yield Finding(Grade.BROKEN, "it names nobody", "issue it anew")
        return
    dns = found.get_values_for_type(x509.DNSName)
    addresses = [str(each) for each in found.get_values_for_type(x509.IPAddress)]
    constraints.hold(constraints.of(sight.authority), dns, addresses)
    bound = [
        uri.removeprefix(MACHINE_URI)
        for uri in found.get_values_for_type(x509.UniformResourceIdentifier)
        if uri.startswith(MACHINE_URI)
    ]
    if sight.machine and bound and sight.machine not in bound:
        hint = f"issue it for this machine: issue box SITE --machine {sight.machine} --replace"
        yield Finding(Grade.BROKEN, f"it is bound to another machine ({', '.join(bound)})", hint)


def _revoked(one: Generation, sight: Sight) -> Iterator[Finding]:
    if one.certificate.serial_number in sight.revoked:
        hint = f"issue it anew with --replace, or take it out of use: revoke {one.name} --retire"
        yield Finding(Grade.BROKEN, "it is revoked", hint)


def _key_file(one: Generation, sight: Sight) -> Iterator[Finding]:
    if one.source != OWN:
        return
    try:
        facts = one.key.stat()
        pem = one.key.read_bytes()
    except FileNotFoundError:
        yield Finding(Grade.BROKEN, f"{one.key} is missing", "restore it, or renew it with --force")
        return
    except PermissionError:
        yield Finding(Grade.WARNING, f"{one.key} may not be read by this user", "run the check as its owner")
        return
    shared = one.carried or one.group == facts.st_gid  # who carried files here chose their group
    yield from secrecy(one.key, facts.st_mode, facts.st_uid, sight.owner, shared=shared)
    key = keys.load(pem, None, str(one.key))
    if one.profile != SIGNING and keys.public_der(key.public_key()) != keys.public_der(one.certificate.public_key()):
        yield Finding(Grade.BROKEN, f"{one.key} is not the certificate's key", "renew it with --force")


def _registered(one: Generation, sight: Sight) -> Iterator[Finding]:
    if sight.registered is not None and one.certificate.serial_number not in sight.registered:
        text = "its serial number is not in the register: it could not be revoked"
        yield Finding(Grade.WARNING, text, "restore ledger.jsonl from the backup, or renew it with --force")


CHECKS: tuple[Check, ...] = (_chain, _life, _names, _revoked, _registered, _key_file)


def secrecy(path: Path, mode: int, uid: int, owner: int, *, shared: bool = False) -> Iterator[Finding]:
    """Find fault with a private key's mode and owner; `shared`: its group may read it."""
    allowed = disk.SHARED if shared else disk.SECRET
    if stat.S_IMODE(mode) & ~allowed:
        text = f"{path} has mode {stat.S_IMODE(mode):o}: others than its owner can use it"
        yield Finding(Grade.BROKEN, text, f"chmod {allowed:o} {path}; if it was so for long, renew with --force")
    if uid != owner:
        yield Finding(Grade.WARNING, f"{path} belongs to user {uid}, the directory to {owner}", f"chown {owner} {path}")


def _authority(layout: Layout, certificate: x509.Certificate, now: dt.datetime, owner: int) -> Report:
    report = Report("authority", {"profile": "authority", **certificate_facts(certificate, now)})
    report.findings.extend(_life(Generation("authority", layout.authority_directory), Sight(certificate, now, owner)))
    report.findings.extend(_open_directories(layout))
    try:
        facts = layout.ca_key.stat()
        encrypted = layout.key_is_encrypted()
        report.facts["key_encrypted"] = encrypted
        report.findings.extend(secrecy(layout.ca_key, facts.st_mode, facts.st_uid, owner))
        if not encrypted:
            layout.authority()
    except FileNotFoundError:
        report.findings.append(Finding(Grade.WARNING, f"{layout.ca_key} is not here", "without it nothing is renewed"))
    except PkiError as error:
        report.findings.append(Finding(Grade.WARNING, error.message, error.hint))
    return report


def _open_directories(layout: Layout) -> Iterator[Finding]:
    for path in (layout.root, layout.authority_directory, layout.live, layout.archive):
        if path.is_dir() and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield Finding(Grade.BROKEN, f"others than its owner can change what is in {path}", f"chmod go-w {path}")


def _list(layout: Layout, authority: x509.Certificate, now: dt.datetime) -> Report:
    report = Report("crl", {"profile": "crl", "file": str(layout.crl)})
    hint = "appliance-pki crl"
    try:
        found = revocation.in_force(layout)
        missing = set(Ledger(layout.ledger).revocations())
    except PkiError as error:
        report.findings.append(_broken(error))
        return report
    if found is None:
        report.findings.append(Finding(Grade.BROKEN, f"{layout.crl} is missing", hint))
        return report
    missing -= {one.serial for one in revocation.listed(found)}
    report.facts.update(revocation.facts(found, now))
    report.findings.extend(_list_findings(found, authority, now, missing))
    return report


def _list_findings(
    found: x509.CertificateRevocationList, authority: x509.Certificate, now: dt.datetime, missing: Iterable[int]
) -> Iterator[Finding]:
    hint = "appliance-pki crl"
    if not found.is_signature_valid(authority.public_key()):  # type: ignore[arg-type]
        yield Finding(Grade.BROKEN, "it is not signed by this authority", hint)
    if found.next_update_utc is None or now >= found.next_update_utc:
        yield Finding(Grade.BROKEN, "it has expired: doors that check it refuse everybody", hint)
    elif revocation.is_due(found, now):
        yield Finding(Grade.WARNING, "two thirds of its life are over", hint)
    if now < found.last_update_utc - BACKDATED:
        yield Finding(Grade.WARNING, "it is of the future", "check this machine's clock")
    for serial in sorted(missing):
        yield Finding(Grade.BROKEN, f"{serial:040x} is revoked, but not on the list", hint)


def _carried_list(path: Path, authority: x509.Certificate) -> list[Revoked]:
    found = revocation.read(path)
    if found is None or not found.is_signature_valid(authority.public_key()):  # type: ignore[arg-type]
        raise Missing(f"{path} is no list of this authority", hint="fetch the authority's crl.pem")
    return revocation.listed(found)


def _broken(error: PkiError) -> Finding:
    return Finding(Grade.BROKEN, error.message, error.hint)
