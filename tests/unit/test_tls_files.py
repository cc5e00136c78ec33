"""Certificate files of a door that are replaced while it stands open."""

from __future__ import annotations

import datetime as dt
import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from appliance import machine
from appliance.certificates import days_left
from appliance.errors import ConfigurationError
from appliance.tls import client_context
from appliance.tls_files import ServerTls, TlsFiles
from pki import profiles
from pki.authority import Authority, Issued, create
from tests.clocks import FakeClock
from tests.unit.test_tls import shake
from tests.waiting import wait_until

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return create("Clinic 7", now=NOW)


def write(folder: Path, name: str, issued: Issued) -> tuple[Path, Path]:
    """Replace both files as certbot does: a new file, then a rename."""
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    for path, content in zip(paths, (issued.files()["fullchain.pem"], issued.files()["key.pem"]), strict=True):
        fresh = path.with_suffix(".new")
        fresh.write_bytes(content)
        os.replace(fresh, path)
    return paths


def serial(tls: ServerTls, trusted: Path) -> int:
    client = ssl.create_default_context(cafile=str(trusted))
    shake(tls.context(), client)
    seen = ssl.DER_cert_to_PEM_cert(_shown(tls, client))
    return x509.load_pem_x509_certificate(seen.encode()).serial_number


def _shown(tls: ServerTls, client: ssl.SSLContext) -> bytes:
    upwards, downwards = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = tls.context().wrap_bio(upwards, downwards, server_side=True)
    theirs = client.wrap_bio(downwards, upwards, server_hostname="localhost")
    for _ in range(4):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return theirs.getpeercert(binary_form=True) or b""


@pytest.fixture
def trusted(tmp_path: Path, authority: Authority) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.pem)
    return path


def issued(authority: Authority) -> Issued:
    return authority.issue(profiles.server("localhost"), now=NOW)


def test_new_handshakes_get_the_new_certificate(tmp_path: Path, authority: Authority, trusted: Path) -> None:
    clock, first, second = FakeClock(), issued(authority), issued(authority)
    tls = ServerTls(TlsFiles(*write(tmp_path, "box", first)), clock.monotonic)
    assert serial(tls, trusted) == first.certificate.serial_number
    write(tmp_path, "box", second)
    assert serial(tls, trusted) == first.certificate.serial_number
    clock.advance(1.1)
    assert serial(tls, trusted) == second.certificate.serial_number
    found = tls.context()
    clock.advance(2)
    assert tls.context() is found  # nothing has changed, nothing is read


def test_half_a_pair_leaves_the_old_one_serving_until_it_is_whole(
    tmp_path: Path, authority: Authority, trusted: Path
) -> None:
    clock, first, second = FakeClock(), issued(authority), issued(authority)
    certificate, key = write(tmp_path, "box", first)
    tls = ServerTls(TlsFiles(certificate, key), clock.monotonic)
    certificate.write_bytes(second.files()["fullchain.pem"])
    clock.advance(2)
    assert serial(tls, trusted) == first.certificate.serial_number
    key.write_bytes(second.files()["key.pem"])
    clock.advance(2)
    assert serial(tls, trusted) == second.certificate.serial_number


def test_files_are_tried_again_after_a_fault_that_passes_and_told_once(
    tmp_path: Path, authority: Authority, trusted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, first, second = FakeClock(), issued(authority), issued(authority)
    tls = ServerTls(TlsFiles(*write(tmp_path, "box", first)), clock.monotonic)
    write(tmp_path, "box", second)
    faults: list[str] = []
    monkeypatch.setattr("appliance.tls_files.log.error", lambda event, **facts: faults.append(event))
    with monkeypatch.context() as patch:
        patch.setattr("appliance.tls._readable", _no_descriptor)
        for _ in range(2):
            clock.advance(2)
            assert serial(tls, trusted) == first.certificate.serial_number
    clock.advance(2)
    assert serial(tls, trusted) == second.certificate.serial_number
    assert len(faults) == 1


def _no_descriptor(path: Path) -> None:
    raise ConfigurationError(f"{path} cannot be read: Too many open files")


def test_a_change_that_sets_the_time_of_modification_back_counts(
    tmp_path: Path, authority: Authority, trusted: Path
) -> None:
    paths = write(tmp_path, "box", issued(authority))
    files = TlsFiles(*paths)
    before, facts = files.stamp(), paths[0].stat()
    wait_until(lambda: _touched(paths[0], facts) and files.stamp() != before)


def _touched(path: Path, facts: os.stat_result) -> bool:
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    return True


def test_files_that_vanish_leave_the_old_ones_serving(tmp_path: Path, authority: Authority, trusted: Path) -> None:
    clock, first = FakeClock(), issued(authority)
    certificate, key = write(tmp_path, "box", first)
    tls = ServerTls(TlsFiles(certificate, key), clock.monotonic)
    key.unlink()
    clock.advance(2)
    assert serial(tls, trusted) == first.certificate.serial_number


def test_a_revocation_list_that_changes_counts_at_the_next_handshake(
    tmp_path: Path, authority: Authority, trusted: Path
) -> None:
    from pki.authority import Revoked

    clock, crl = FakeClock(), tmp_path / "crl.pem"
    box = authority.issue(profiles.box("clinic-7", machine.machine_hash()), now=NOW)

    def publish(*gone: Revoked) -> None:
        found = authority.revocation_list(gone, number=int(clock.monotonic()) + 1, now=NOW, days=30)
        crl.write_bytes(found.public_bytes(serialization.Encoding.PEM))

    publish()
    certificate, key = write(tmp_path, "door", issued(authority))
    tls = ServerTls(TlsFiles(certificate, key, trusted, crl), clock.monotonic)
    client = client_context(*write(tmp_path, "client", box), trusted)
    assert shake(tls.context(), client).getpeercert()
    publish(Revoked(box.certificate.serial_number, NOW))
    clock.advance(2)
    with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
        shake(tls.context(), client_context(*write(tmp_path, "client", box), trusted))
    assert 29 < (days_left({"scp.tls_crl": crl}, int(NOW.timestamp() * 1e6))["scp.tls_crl"] or 0) < 31


def test_a_certificate_bound_to_another_machine_is_not_shown(
    tmp_path: Path, authority: Authority, trusted: Path
) -> None:
    stolen = authority.issue(profiles.box("clinic-7", "0" * 64), now=NOW)
    with pytest.raises(ConfigurationError, match="another machine"):
        client_context(*write(tmp_path, "client", stolen), trusted)
    own = authority.issue(profiles.box("clinic-7", machine.machine_hash()), now=NOW)
    client_context(*write(tmp_path, "client", own), trusted)
