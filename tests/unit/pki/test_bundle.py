"""PKCS #12 for consoles: openssl reads both forms, and sees the encryption that was promised."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from pki import bundle, profiles
from pki.authority import Authority
from tests.unit.pki.conftest import NOW
from tests.unit.pki.openssl import openssl

SECRET = b"correct horse"


@pytest.fixture
def made(tmp_path: Path, authority: Authority) -> dict[str, Path]:
    """Both forms of one modality's certificate."""
    issued = authority.issue(profiles.modality("CT 1", addresses=["10.0.0.9"], key_type="rsa2048"), now=NOW)
    for form in bundle.FORMS:
        data = bundle.pkcs12_file(form, "CT 1", issued.key, issued.certificate, issued.issuer, SECRET)
        (tmp_path / form).write_bytes(data)
        loaded = pkcs12.load_pkcs12(data, SECRET)
        assert loaded.cert is not None and loaded.cert.certificate == issued.certificate
        assert [one.certificate for one in loaded.additional_certs] == [authority.certificate]
    return {form: tmp_path / form for form in bundle.FORMS}


@pytest.mark.parametrize(
    ("form", "legacy", "said"),
    [("pkcs12", False, "AES-256-CBC"), ("pkcs12-legacy", True, "pbeWithSHA1And3-KeyTripleDES-CBC")],
)
def test_openssl_opens_it(made: dict[str, Path], form: str, legacy: bool, said: str) -> None:
    words: list[str | Path] = [
        "pkcs12",
        *(["-legacy"] if legacy else []),
        "-in",
        made[form],
        "-noenc",
        "-info",
        "-passin",
    ]
    found = openssl(*words, f"pass:{SECRET.decode()}")
    assert found.returncode == 0, found.stderr
    assert said in found.stderr and ("MAC: sha1" in found.stderr) == legacy
    assert found.stdout.count("BEGIN CERTIFICATE") == 2 and found.stdout.count("BEGIN PRIVATE KEY") == 1
    assert "friendlyName: CT 1" in found.stdout
    assert openssl(*words, "pass:wrong").returncode != 0
