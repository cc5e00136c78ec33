"""The check notices each kind of trouble, grades it, and says what to do."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from pki import check, issuing, keys, lineage, profiles, revocation
from pki.authority import Authority, common_name, create
from pki.check import Grade, Report
from pki.errors import Missing
from pki.layout import Layout
from pki.lineage import Record
from tests.unit.pki.conftest import NOW

MACHINE = "ab" * 32
SERVER = profiles.server("pacs.clinic.example", days=90)
NAME = SERVER.lineage


@pytest.fixture
def stocked(layout: Layout, authority: Authority) -> Layout:
    """A directory with a server, a box and a signing key."""
    with layout.changing():
        issuing.issue(layout, authority, Record(SERVER), now=NOW)
        issuing.issue(layout, authority, Record(profiles.box("clinic-7", MACHINE)), now=NOW)
        issuing.signing_key(layout, "clinic-7")
    return layout


def reports(layout: Layout, days: float = 0) -> dict[str, Report]:
    """Every report, by name, some days from now."""
    return {one.name: one for one in check.everything(layout, NOW + dt.timedelta(days=days))}


def test_what_was_just_made_is_well(stocked: Layout) -> None:
    found = reports(stocked)
    assert set(found) == {"authority", "crl", NAME, "box-clinic-7", "signing-clinic-7"}
    assert not [finding for one in found.values() for finding in one.findings]
    assert found[NAME].facts["days_left"] == 90 and found[NAME].facts["due"] is False


@pytest.mark.parametrize(
    ("name", "days", "grade", "said"),
    [
        (NAME, 59, Grade.OK, ""),
        (NAME, 61, Grade.WARNING, "two thirds of its life are over"),
        (NAME, 90, Grade.BROKEN, "it ended at"),
        ("crl", 61, Grade.WARNING, "two thirds of its life are over"),
        ("crl", 91, Grade.BROKEN, "it has expired"),
        ("authority", 2500, Grade.WARNING, "two thirds of its life are over"),
        ("authority", 3700, Grade.BROKEN, "it ended at"),
        (NAME, -1, Grade.BROKEN, "it begins at"),
    ],
)
def test_time_goes_by(stocked: Layout, name: str, days: float, grade: Grade, said: str) -> None:
    found = reports(stocked, days)[name]
    assert found.grade is grade
    assert any(one.text.startswith(said) and one.hint for one in found.findings) or grade is Grade.OK


def _swap_key(live: Path) -> None:
    (live / "key.pem").write_bytes(keys.private_pem(keys.generate("p256")))


def _other_chain(live: Path) -> None:
    (live / "fullchain.pem").write_bytes((live / "cert.pem").read_bytes())


def _strange_certificate(live: Path) -> None:
    strange = create("Clinic 7", now=NOW).issue(SERVER, now=NOW)
    for name, data in strange.files().items():
        (live / name).write_bytes(data)


TROUBLE: dict[str, tuple[Callable[[Path], object], Grade]] = {
    "has mode 644": (lambda live: (live / "key.pem").chmod(0o644), Grade.BROKEN),
    "has mode 640": (lambda live: (live / "key.pem").chmod(0o640), Grade.BROKEN),
    "is missing": (lambda live: (live / "key.pem").unlink(), Grade.BROKEN),
    "is not the certificate's key": (_swap_key, Grade.BROKEN),
    "is not a private key in PEM": (lambda live: (live / "key.pem").write_bytes(b"rubbish"), Grade.BROKEN),
    "cert.pem cannot be used": (lambda live: (live / "cert.pem").write_bytes(b"rubbish"), Grade.BROKEN),
    "fullchain.pem is not the certificate": (_other_chain, Grade.BROKEN),
    "not signed by this authority": (_strange_certificate, Grade.BROKEN),
    "lineage.json cannot be used": (lambda live: (live / "lineage.json").unlink(), Grade.BROKEN),
    "fullchain.pem cannot be used": (lambda live: (live / "fullchain.pem").unlink(), Grade.BROKEN),
}


@pytest.mark.parametrize("said", TROUBLE)
def test_trouble_with_files_is_noticed(stocked: Layout, said: str) -> None:
    make, grade = TROUBLE[said]
    make((stocked.live / NAME).resolve())
    found = reports(stocked)
    assert found[NAME].grade is grade
    assert any(said in one.text and one.hint for one in found[NAME].findings), found[NAME].findings
    assert found["box-clinic-7"].grade is Grade.OK


def test_the_group_that_was_named_may_read_the_key_and_no_other(layout: Layout, authority: Authority) -> None:
    with layout.changing():
        issuing.issue(layout, authority, Record(SERVER, group=os.getgid()), now=NOW)
    key = lineage.current(layout, NAME).key
    assert key.stat().st_mode & 0o777 == 0o640 and key.stat().st_gid == os.getgid()
    assert reports(layout)[NAME].grade is Grade.OK
    key.chmod(0o644)
    assert reports(layout)[NAME].grade is Grade.BROKEN


def test_the_keys_own_owner_is_the_directorys(tmp_path: Path) -> None:
    (finding,) = check.secrecy(tmp_path, 0o100600, 7, 8)
    assert finding.grade is Grade.WARNING and "belongs to user 7" in finding.text
    assert not list(check.secrecy(tmp_path, 0o100400, 8, 8))


def test_an_open_authority_key_is_broken_and_an_absent_one_odd(stocked: Layout) -> None:
    stocked.ca_key.chmod(0o644)
    assert reports(stocked)["authority"].grade is Grade.BROKEN
    stocked.ca_key.unlink()
    assert reports(stocked)["authority"].grade is Grade.WARNING


@pytest.mark.parametrize("name", ["", "ca", "live", "archive"])
def test_a_directory_that_others_can_change_is_broken(stocked: Layout, name: str) -> None:
    (stocked.root / name).chmod(0o775)
    assert "others than its owner can change" in reports(stocked)["authority"].findings[0].text
    assert reports(stocked)["authority"].grade is Grade.BROKEN


def test_revocation_is_noticed_and_a_list_that_lacks_it(stocked: Layout, authority: Authority) -> None:
    old = stocked.crl.read_bytes()
    with stocked.changing():
        revocation.revoke(stocked, authority, revocation.chosen(stocked, NAME, now=NOW), "superseded", now=NOW)
    assert reports(stocked)[NAME].findings[0].text == "it is revoked"
    assert reports(stocked)["crl"].grade is Grade.OK and reports(stocked)["crl"].facts["revoked"] == 1
    stocked.crl.write_bytes(old)
    assert "but not on the list" in reports(stocked)["crl"].findings[0].text


@pytest.mark.parametrize("content", [None, b"rubbish"])
def test_a_list_that_is_missing_or_rubbish_is_broken(stocked: Layout, content: bytes | None) -> None:
    stocked.crl.unlink()
    if content is not None:
        stocked.crl.write_bytes(content)
    assert reports(stocked)["crl"].grade is Grade.BROKEN


def test_a_lost_or_spoilt_register_is_noticed(stocked: Layout) -> None:
    with stocked.ledger.open("a") as file:
        file.write('{"event": "issued"}\n')
    assert reports(stocked)["ledger"].grade is Grade.BROKEN
    stocked.ledger.unlink()
    assert "not in the register" in reports(stocked)[NAME].findings[0].text


def test_what_the_list_names_counts_as_revoked_without_the_register(stocked: Layout, authority: Authority) -> None:
    with stocked.changing():
        revocation.revoke(stocked, authority, revocation.chosen(stocked, NAME, now=NOW), "superseded", now=NOW)
    stocked.ledger.unlink()
    assert "it is revoked" in [one.text for one in reports(stocked)[NAME].findings]


def test_carried_files_must_be_for_this_machine(tmp_path: Path, stocked: Layout) -> None:
    carried = tmp_path / "carried"
    shutil.copytree(stocked.live / "box-clinic-7", carried)
    (carried / "lineage.json").unlink()
    assert check.folder(carried, NOW, MACHINE, None).grade is Grade.OK
    found = check.folder(carried, NOW, "cd" * 32, stocked.crl)
    assert found.grade is Grade.BROKEN and "bound to another machine" in found.findings[0].text


def test_carried_files_are_held_against_the_list_of_their_own_authority(
    tmp_path: Path, stocked: Layout, authority: Authority
) -> None:
    carried = tmp_path / "carried"
    shutil.copytree(stocked.live / "box-clinic-7", carried)
    with stocked.changing():
        gone = revocation.chosen(stocked, "box-clinic-7", now=NOW)
        revocation.revoke(stocked, authority, gone, "superseded", now=NOW)
    assert check.folder(carried, NOW, MACHINE, stocked.crl).grade is Grade.BROKEN
    strange = create("Clinic 7", now=NOW).revocation_list([], number=1, now=NOW)
    stocked.crl.write_bytes(strange.public_bytes(keys.PEM))
    with pytest.raises(Missing):
        check.folder(carried, NOW, MACHINE, stocked.crl)


@pytest.mark.parametrize("names", ["3004a3023000", "30057a7a"])  # an X.400 address; rubbish
def test_a_certificate_whose_names_cannot_be_read_is_broken_and_stops_nothing(
    stocked: Layout, authority: Authority, names: str
) -> None:
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), bytes.fromhex(names))
    builder = (
        x509.CertificateBuilder()
        .subject_name(common_name("x"))
        .issuer_name(authority.certificate.subject)
        .public_key(authority.key.public_key())
        .serial_number(5)
        .not_valid_before(NOW)
        .not_valid_after(NOW + dt.timedelta(days=1))
        .add_extension(strange, critical=False)
    )
    found = builder.sign(authority.key, hashes.SHA256()).public_bytes(keys.PEM)
    (stocked.live / NAME / "cert.pem").write_bytes(found)
    report = reports(stocked)[NAME]
    assert report.grade is Grade.BROKEN and "names cannot be read" in report.findings[0].text
    assert reports(stocked)["box-clinic-7"].grade is Grade.OK


def test_without_an_authority_there_is_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(Missing) as refusal:
        check.everything(Layout(tmp_path), NOW)
    assert "init" in refusal.value.hint
