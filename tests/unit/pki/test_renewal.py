"""Renewal: what is due, what is left alone, and why."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pki import issuing, keys, lineage, profiles, renewal, revocation
from pki.authority import Authority, create
from pki.layout import Layout
from pki.ledger import Ledger
from pki.lineage import REQUEST, Generation, Record
from pki.renewal import Outcome, State, Verdict
from pki.request import Request
from tests.unit.pki.conftest import NOW

BOX = profiles.box("clinic-7", "ab" * 32, days=300)
SERVER = profiles.server("pacs.clinic.example", addresses=["10.0.0.7"], both=True, days=90)


def after(days: float) -> dt.datetime:
    """A moment some days from now."""
    return NOW + dt.timedelta(days=days)


def renewed(layout: Layout, authority: Authority, now: dt.datetime, **how: bool) -> dict[str, Outcome]:
    """Renew everything; outcomes by lineage."""
    with layout.changing():
        revoked = Ledger(layout.ledger).revocations()
        found = renewal.renew(layout, authority, list(lineage.all_of(layout)), revoked, now=now, **how)
    return {one.name: one for one in found}


@pytest.fixture
def stocked(layout: Layout, authority: Authority) -> Layout:
    """A directory with a server of 90 days, a box of 300 and a signing key."""
    with layout.changing():
        for order in (SERVER, BOX):
            issuing.issue(layout, authority, Record(order), now=NOW)
        issuing.signing_key(layout, "clinic-7")
    return layout


@pytest.mark.parametrize(
    ("due", "revoked", "foreign", "gains", "force", "reuse", "expected"),
    [
        (False, False, False, True, False, False, Verdict.NOT_DUE),
        (True, False, False, True, False, False, Verdict.RENEW),
        (False, False, False, True, True, False, Verdict.RENEW),
        (True, True, False, True, False, False, Verdict.REVOKED),
        (False, True, False, True, True, True, Verdict.REVOKED),
        (True, False, True, True, False, False, Verdict.FOREIGN_KEY),
        (True, False, True, True, False, True, Verdict.RENEW),
        (True, False, False, False, False, False, Verdict.AUTHORITY_ENDS),
        (False, False, False, False, True, False, Verdict.RENEW),
    ],
)
def test_the_verdict(
    due: bool, revoked: bool, foreign: bool, gains: bool, force: bool, reuse: bool, expected: Verdict
) -> None:
    state = State(due=due, revoked=revoked, foreign_key=foreign, gains=gains)
    assert renewal.verdict(state, force=force, reuse_key=reuse) is expected


@pytest.mark.parametrize(
    ("days", "due"),
    [
        (0, set()),
        (59.9, set()),
        (60.1, {"server"}),
        (199, {"server"}),
        (200.1, {"server", "box"}),
        (500, {"server", "box"}),
    ],
)
def test_two_thirds_of_the_life_make_it_due(stocked: Layout, authority: Authority, days: float, due: set[str]) -> None:
    found = renewed(stocked, authority, after(days))
    assert {name.partition("-")[0] for name, one in found.items() if one.verdict is Verdict.RENEW} == due
    assert not any(one.error for one in found.values())
    again = renewed(stocked, authority, after(days))
    assert {one.verdict for one in again.values()} == {Verdict.NOT_DUE}


def test_a_renewal_has_the_same_names_and_profile_a_new_key_and_a_new_life(
    stocked: Layout, authority: Authority
) -> None:
    before = lineage.current(stocked, SERVER.lineage)
    live = renewed(stocked, authority, after(61))[SERVER.lineage].live
    assert live.directory == lineage.current(stocked, SERVER.lineage).directory != before.directory
    assert live.record == before.record
    for kind in ("subjectAltName", "extendedKeyUsage", "keyUsage"):
        assert _extension(live, kind) == _extension(before, kind)
    assert live.certificate.not_valid_after_utc == after(61 + 90)
    assert _key(live) != _key(before)
    assert _key(before) == keys.public_der(before.certificate.public_key()), "the old generation stays in the archive"


def test_the_key_stays_when_asked(stocked: Layout, authority: Authority) -> None:
    before = lineage.current(stocked, SERVER.lineage)
    live = renewed(stocked, authority, after(61), reuse_key=True)[SERVER.lineage].live
    assert _key(live) == _key(before) and live.certificate != before.certificate


def test_a_revoked_box_is_not_let_back_in_by_the_timer(stocked: Layout, authority: Authority) -> None:
    with stocked.changing():
        gone = revocation.chosen(stocked, BOX.lineage, now=NOW)
        revocation.revoke(stocked, authority, gone, "key_compromise", now=NOW)
    found = renewed(stocked, authority, after(250))
    assert found[BOX.lineage].verdict is Verdict.REVOKED
    assert lineage.current(stocked, BOX.lineage).directory.name == "1"


def test_a_key_that_is_elsewhere_needs_a_new_request(layout: Layout, authority: Authority) -> None:
    public_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    with layout.changing():
        issuing.sign(layout, authority, Record(SERVER, REQUEST), Request(public_key, (), ()), now=NOW)
    assert renewed(layout, authority, after(61))[SERVER.lineage].verdict is Verdict.FOREIGN_KEY
    live = renewed(layout, authority, after(61), reuse_key=True)[SERVER.lineage].live
    assert live.certificate.public_key() == public_key and not live.key.exists()


def test_one_that_is_broken_does_not_keep_the_others(stocked: Layout, authority: Authority) -> None:
    (lineage.current(stocked, BOX.lineage).directory / "lineage.json").write_text("{}")
    found = renewed(stocked, authority, after(250))
    assert found[SERVER.lineage].verdict is Verdict.RENEW and found[SERVER.lineage].error is None
    assert found[BOX.lineage].error is not None


def test_when_the_authority_ends_first_the_timer_stops_making_certificates(layout: Layout) -> None:
    short = create("Short", now=NOW, days=100)
    other = Layout(layout.root / "short")
    other.root.mkdir()
    with other.changing():
        other.found(short)
        issuing.issue(other, short, Record(BOX), now=NOW)
    assert renewed(other, short, after(90))[BOX.lineage].verdict is Verdict.AUTHORITY_ENDS


def test_a_signing_key_is_renewed_only_by_name_and_force(stocked: Layout, authority: Authority) -> None:
    assert renewed(stocked, authority, after(1500))["signing-clinic-7"].verdict is Verdict.NOT_DUE
    before = lineage.current(stocked, "signing-clinic-7")
    live = renewed(stocked, authority, NOW, force=True)["signing-clinic-7"].live
    assert live.key.read_bytes() != before.key.read_bytes() and live.directory.name == "2"


def _extension(one: Generation, kind: str) -> object:
    return next(each.value for each in one.certificate.extensions if each.oid._name == kind)


def _key(one: Generation) -> bytes:
    return keys.public_der(lineage.private_key(one).public_key())
