"""`appliance central site`: the registry, as a person keeps it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from appliance.central.registry import Registry
from appliance.cli.main import cli
from tests.builders.certificates import Authority

PEM = serialization.Encoding.PEM
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a verb of `central site` on a registry of this test."""
    configuration = tmp_path / "c.toml"
    configuration.write_text(f'home = "{tmp_path}/home"\n[central]\nregistry = "{tmp_path}/sites"\n')

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["--config", str(configuration), "central", "site", *arguments])

    return invoke


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """The registry that the verbs write."""
    return Registry(tmp_path / "sites")


def test_a_site_is_let_in_with_a_key_and_a_certificate(run: Run, registry: Registry, tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    (tmp_path / "k.pub").write_bytes(key.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    certificate = Authority(tmp_path).issue("clinic-7").certificate
    options = ("--signature-key", str(tmp_path / "k.pub"), "--certificate", str(certificate))
    done = run("add", "clinic-7", "--tenant", "north", *options)
    assert done.exit_code == 0, done.output
    site = registry.get("clinic-7")
    assert (site.tenant, site.role, len(site.verifiers()), len(site.certificate_sha256)) == ("north", "box", 1, 1)


def test_a_token_is_printed_once_and_kept_as_a_digest(run: Run, registry: Registry) -> None:
    token = json.loads(run("add", "clinic-7", "--tenant", "north", "--with-token", "--json").stdout)["token"]
    assert registry.get("clinic-7").token_sha256 == (hashlib.sha256(token.encode()).hexdigest(),)
    assert token not in run("show", "clinic-7").stdout
    assert registry.by_token(token) is not None


def test_what_is_there_is_not_written_over_unasked(run: Run, registry: Registry) -> None:
    assert run("add", "clinic-7", "--tenant", "north").exit_code == 0
    again = run("add", "clinic-7", "--tenant", "south")
    assert again.exit_code == 78 and "--replace" in again.stderr
    assert registry.get("clinic-7").tenant == "north"
    assert run("add", "clinic-7", "--tenant", "south", "--replace").exit_code == 0
    assert registry.get("clinic-7").tenant == "south"


def test_disabling_and_enabling(run: Run, registry: Registry) -> None:
    run("add", "clinic-7", "--tenant", "north")
    assert run("disable", "clinic-7").exit_code == 0 and registry.site("clinic-7") is None
    assert run("enable", "clinic-7").exit_code == 0 and registry.site("clinic-7") is not None
    assert run("remove", "clinic-7").exit_code == 0 and registry.names() == []
    for verb in ("show", "disable", "enable", "remove"):
        refused = run(verb, "clinic-7")
        assert refused.exit_code == 78 and "next:" in refused.stderr


def test_the_list(run: Run, tmp_path: Path) -> None:
    assert "no site" in run("list").stdout and json.loads(run("list", "--json").stdout) == []
    run("add", "clinic-7", "--tenant", "north")
    (tmp_path / "sites" / "clinic-8.json").write_text("{")
    printed = run("list", "--json").stdout
    # Before it stands a warning, which a real process writes to standard error.
    rows = {row["site"]: row for row in json.loads(printed[printed.index("[\n") :])}
    assert rows["clinic-7"]["tenant"] == "north" and rows["clinic-7"]["enabled"] is True
    assert rows["clinic-8"]["enabled"] is False


@pytest.mark.parametrize("arguments", [
    ("../x", "--tenant", "north"), ("clinic-7", "--tenant", "../north"), ("Clinic", "--tenant", "north"),
])  # fmt: skip
def test_names_that_cannot_be_are_refused(run: Run, arguments: tuple[str, ...]) -> None:
    refused = run("add", *arguments)
    assert refused.exit_code == 78 and "next:" in refused.stderr


def test_a_disabled_site_that_is_written_anew_stays_out(run: Run, registry: Registry) -> None:
    assert run("add", "clinic-7", "--tenant", "north").exit_code == 0
    assert run("disable", "clinic-7").exit_code == 0
    done = run("add", "clinic-7", "--tenant", "north", "--with-token", "--replace")
    assert done.exit_code == 0 and "disabled still" in done.output
    assert registry.site("clinic-7") is None and len(registry.get("clinic-7").token_sha256) == 1
