"""Days left of certificate files."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from appliance.certificates import days_left, ends_of
from pki.authority import create
from tests.builders.certificates import Authority

HOUR = 3600
DAY_US = 86_400_000_000


def now() -> int:
    return time.time_ns() // 1000


def test_days_left_before_and_after_the_end(tmp_path: Path) -> None:
    files = {"scp.tls_certificate": Authority(tmp_path).issue("box").certificate}
    assert days_left(files, now())["scp.tls_certificate"] == pytest.approx(0.04, abs=0.01)
    assert days_left(files, now() + 2 * DAY_US)["scp.tls_certificate"] == pytest.approx(-1.96, abs=0.01)


def test_a_chain_ends_with_its_first_authorities_with_their_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.certificates.ends_of", lambda path: [86_400.0, 864_000.0])
    found = days_left({"scp.tls_certificate": tmp_path, "scp.tls_ca": tmp_path}, 0)
    assert found == {"scp.tls_certificate": 1.0, "scp.tls_ca": 10.0}


def test_every_certificate_of_a_file_counts(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    both = tmp_path / "chain.pem"
    both.write_bytes(authority.issue("box").certificate.read_bytes() + authority.certificate.read_bytes())
    assert len(ends_of(both)) == 2


def test_of_several_revocation_lists_each_counts(tmp_path: Path) -> None:
    at, file = dt.datetime.now(dt.UTC), tmp_path / "crl.pem"
    lists = [create("Clinic", now=at).revocation_list([], number=1, now=at, days=days) for days in (30, 5)]
    file.write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in lists))
    assert len(ends_of(file)) == 2
    assert days_left({"scp.tls_crl": file}, now())["scp.tls_crl"] == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_cannot_be_read_has_no_days(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "cert.pem"
    if content is not None:
        path.write_bytes(content)
    assert days_left({"mqtt.tls_ca": path}, now()) == {"mqtt.tls_ca": None}
