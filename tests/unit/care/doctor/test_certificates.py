"""Certificates: whether they parse, fit and last."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from appliance.care.doctor import certificates
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import State, Verdict
from appliance.clock import SystemClock
from tests.builders.certificates import Authority, Pair
from tests.clocks import FakeClock
from tests.unit.care.doctor.boxes import box, mended

NAME = "scp.tls_certificate"
DAY = dt.timedelta(days=1)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def with_pair(tmp_path: Path, certificate: Path, key: Path) -> Box:
    return box(tmp_path, {"scp": {"tls_port": 2762, "tls_certificate": certificate, "tls_key": key}})


def judged(tmp_path: Path, pair: Pair) -> Verdict:
    return certificates.certificate(with_pair(tmp_path, pair.certificate, pair.key), NAME)


def test_one_that_lasts(tmp_path: Path, authority: Authority) -> None:
    mended(judged(tmp_path, authority.issue("a", ends=90 * DAY)), State.OK, "for localhost, 127.0.0.1", "")


def test_one_that_soon_ends(tmp_path: Path, authority: Authority) -> None:
    mended(judged(tmp_path, authority.issue("a", ends=5 * DAY)), State.OK, "5.0 days left", "")  # it lasts six
    soon = judged(tmp_path, authority.issue("b", ends=dt.timedelta(minutes=1)))
    mended(soon, State.WARNING, "0.0 days left", "appliance-pki renew")


def test_one_that_has_ended(tmp_path: Path, authority: Authority) -> None:
    mended(judged(tmp_path, authority.issue("a", ends=-dt.timedelta(hours=2))), State.FAULT, "ended", "renew")


def test_one_that_has_not_begun_points_to_the_clock(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("a")
    past = FakeClock(1_700_000_000_000_000)
    settings = {"scp": {"tls_port": 1, "tls_certificate": pair.certificate, "tls_key": pair.key}}
    mended(
        certificates.certificate(box(tmp_path, settings, clock=past), NAME), State.FAULT, "not valid before", "clock"
    )


def test_one_that_is_bound_to_another_machine(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = authority.issue("a", ends=90 * DAY)
    monkeypatch.setattr(certificates, "machine_hash", lambda: "ours")
    for machines, state in ((("theirs",), State.FAULT), (("theirs", "ours"), State.OK)):
        monkeypatch.setattr(certificates, "bound_to", lambda _pem, these=machines: these)
        assert judged(tmp_path, pair).state is state


def test_a_key_of_another_certificate(tmp_path: Path, authority: Authority) -> None:
    one, other = authority.issue("a"), authority.issue("b")
    mended(judged(tmp_path, Pair(one.certificate, other.key)), State.FAULT, "is not the key of", "scp.tls_key")
    mended(judged(tmp_path, authority.issue("c", password=b"x")), State.FAULT, "encrypted", "unencrypted")


def test_a_file_that_is_no_certificate_or_is_missing(tmp_path: Path, authority: Authority) -> None:
    pair, odd = authority.issue("a"), tmp_path / "odd.pem"
    odd.write_text("hello")
    mended(judged(tmp_path, Pair(odd, pair.key)), State.FAULT, "no PEM file", NAME)
    mended(judged(tmp_path, Pair(tmp_path / "gone", pair.key)), State.FAULT, "No such file", NAME)


def test_a_chain_in_disorder(tmp_path: Path, authority: Authority) -> None:
    pair, other = authority.issue("a", ends=90 * DAY), authority.issue("b", ends=90 * DAY)
    both = tmp_path / "both.pem"
    both.write_bytes(pair.certificate.read_bytes() + other.certificate.read_bytes())
    mended(judged(tmp_path, Pair(both, pair.key)), State.FAULT, "disorder", "then issuers")


def test_authorities_and_lists(tmp_path: Path, authority: Authority) -> None:
    pair, crl = authority.issue("a"), authority.revoke()
    scp = {"tls_port": 1, "tls_certificate": pair.certificate, "tls_key": pair.key}
    settings = {"scp": {**scp, "tls_ca": authority.certificate, "tls_crl": crl}}
    found = box(tmp_path, settings)
    assert set(certificates.named(found)) == {NAME, "scp.tls_ca", "scp.tls_crl"}
    mended(certificates.certificate(found, "scp.tls_ca"), State.WARNING, "one authority", "a new one in time")
    mended(certificates.certificate(found, "scp.tls_crl"), State.OK, "good for 0.0 days", "")
    later = FakeClock(SystemClock().now() + 7200 * 1_000_000)
    found = box(tmp_path, settings, clock=later)
    mended(certificates.certificate(found, "scp.tls_crl"), State.FAULT, "ended", "appliance-pki crl")
    mended(certificates.certificate(found, "scp.tls_ca"), State.FAULT, "nobody is trusted", "docs/certificates.md")
