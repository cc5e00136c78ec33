"""Which machine this is, and which machines a certificate names."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import ConfigurationError
from appliance.machine import bound_to, machine_hash
from pki.authority import create
from pki.profiles import box, server
from tests.builders.certificates import Authority
from tests.unit.pki.conftest import NOW


def test_a_box_certificate_names_its_machine_a_servers_none(tmp_path: Path) -> None:
    authority = create("Test", now=NOW)
    bound = authority.issue(box("clinic-7", "ab" * 32), now=NOW).files()
    assert bound_to(bound["fullchain.pem"]) == ("ab" * 32,)
    assert bound_to(authority.issue(server("pacs.local"), now=NOW).files()["cert.pem"]) == ()
    assert bound_to(authority.pem) == ()
    assert bound_to(Authority(tmp_path).issue("old").certificate.read_bytes()) == ()


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        bound_to(b"no certificate")


@pytest.mark.parametrize("content", [None, "", "uninitialized\n"])
def test_a_machine_without_an_id_is_told_what_to_do(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "machine-id"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError) as refusal:
        machine_hash(path)
    assert "systemd-machine-id-setup" in refusal.value.hint


def test_the_hash_does_not_tell_the_machine_id(tmp_path: Path) -> None:
    path = tmp_path / "machine-id"
    path.write_text("0123456789abcdef0123456789abcdef\n")
    found = machine_hash(path)
    assert len(found) == 64 and "0123456789abcdef" not in found
    path.write_text("1123456789abcdef0123456789abcdef\n")
    assert machine_hash(path) != found
