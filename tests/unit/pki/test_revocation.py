"""Revocation: by name or serial, from the register alone, into a list that only grows."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509

from pki import issuing, keys, lineage, profiles, renewal, revocation
from pki.authority import Authority, Revoked, create
from pki.errors import Missing, Refused
from pki.layout import Layout
from pki.lineage import Record
from tests.unit.pki.conftest import NOW
from tests.unit.pki.openssl import verdict

BOX = profiles.box("clinic-7", "ab" * 32)
NAME = BOX.lineage


@pytest.fixture
def stocked(layout: Layout, authority: Authority) -> Layout:
    """A directory with a box in its second generation."""
    with layout.changing():
        issuing.issue(layout, authority, Record(BOX), now=NOW)
        renewal.renew(layout, authority, [lineage.current(layout, NAME)], (), now=NOW, force=True)
    return layout


def revoked(layout: Layout, authority: Authority, word: str, reason: str = "key_compromise") -> set[int]:
    """Revoke; return the serials that are on the list in force."""
    with layout.changing():
        found = revocation.revoke(layout, authority, revocation.chosen(layout, word, now=NOW), reason, now=NOW)
    assert found == revocation.in_force(layout)
    return {one.serial for one in revocation.listed(found)}


def judged(layout: Layout, generation: str) -> str:
    """What openssl says of a generation, with the list in force."""
    path = layout.archive / NAME / generation / "cert.pem"
    return verdict(path, layout.ca_certificate, "-crl_check", "-CRLfile", layout.crl)


def test_a_name_stands_for_every_generation_that_has_not_ended(stocked: Layout, authority: Authority) -> None:
    assert judged(stocked, "1") == judged(stocked, "2") == "OK"
    assert len(revoked(stocked, authority, NAME)) == 2
    assert "certificate revoked" in judged(stocked, "1") and "certificate revoked" in judged(stocked, "2")


@pytest.mark.parametrize("form", ["{:x}", "{:X}", "colons"])
def test_a_serial_stands_for_one(stocked: Layout, authority: Authority, form: str) -> None:
    serial = lineage.current(stocked, NAME).certificate.serial_number
    digits = f"{serial:040x}"
    word = ":".join(digits[at : at + 2] for at in range(0, 40, 2)) if form == "colons" else form.format(serial)
    assert revoked(stocked, authority, word) == {serial}
    assert judged(stocked, "1") == "OK" and judged(stocked, "2") != "OK"


def test_it_works_when_the_lineage_is_lost(stocked: Layout, authority: Authority) -> None:
    lineage.retire(stocked, NAME)
    for path in sorted((stocked.archive / NAME).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert len(revoked(stocked, authority, NAME)) == 2


def test_what_is_revoked_stays_so_when_the_register_is_lost(stocked: Layout, authority: Authority) -> None:
    before = revoked(stocked, authority, NAME)
    stocked.ledger.unlink()
    with stocked.changing():
        found = revocation.publish(stocked, authority, now=NOW + dt.timedelta(days=1))
    assert {one.serial for one in revocation.listed(found)} == before
    assert {one.reason for one in revocation.listed(found)} == {"key_compromise"}


@pytest.mark.parametrize("reason", revocation.REASONS)
def test_every_reason_stands_in_the_list(stocked: Layout, authority: Authority, reason: str) -> None:
    revoked(stocked, authority, NAME, reason)
    found = revocation.in_force(stocked)
    assert found is not None
    assert {one.reason for one in revocation.listed(found)} == {reason}
    (first, _) = found
    said = [one for one in first.extensions if isinstance(one.value, x509.CRLReason)]
    assert bool(said) == (reason != "unspecified")


def test_numbers_grow_even_when_the_clock_stands_still_or_the_list_is_lost(
    layout: Layout, authority: Authority
) -> None:
    numbers = []
    with layout.changing():
        for lost in (False, False, True):
            if lost:
                layout.crl.unlink()
            later = NOW + dt.timedelta(days=1 if lost else 0)
            numbers.append(revocation.number_of(revocation.publish(layout, authority, now=later)))
    assert numbers == sorted(set(numbers))


def test_a_strangers_list_in_its_place_revokes_nothing(stocked: Layout, authority: Authority) -> None:
    serial = lineage.current(stocked, NAME).certificate.serial_number
    strange = create("Clinic 7", now=NOW).revocation_list([Revoked(serial, NOW)], number=1, now=NOW)
    stocked.crl.write_bytes(strange.public_bytes(keys.PEM))
    with stocked.changing():
        assert not list(revocation.publish(stocked, authority, now=NOW))


def test_what_was_never_given_out_or_is_over_is_said_so(stocked: Layout, authority: Authority) -> None:
    with pytest.raises(Missing) as refusal:
        revocation.chosen(stocked, "box-clinic-8", now=NOW)
    assert "list --all" in refusal.value.hint
    with pytest.raises(Refused, match="has ended or is revoked already"):
        revocation.chosen(stocked, NAME, now=NOW + dt.timedelta(days=400))
    revoked(stocked, authority, NAME)
    with pytest.raises(Refused, match="has ended or is revoked already"):
        revocation.chosen(stocked, NAME, now=NOW)
