"""The command: what it prints, what it writes, how it ends."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from pki import disk, lineage
from pki.cli.exit_codes import MEANINGS, RULES, ExitCode, exit_code
from pki.cli.main import cli
from pki.layout import Layout
from tests.architecture.source import ROOT
from tests.unit.pki.conftest import NOW
from tests.unit.pki.openssl import openssl

MACHINE = "ab" * 32
SERVER = ("issue", "server", "pacs.clinic.example", "--ip", "10.0.0.7")
BOX = ("issue", "box", "clinic-7", "--machine", MACHINE)


class Bench:
    """The command in one directory, at a time of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layout = Layout(root / "pki")
        self.now = NOW

    def run(self, *words: str | Path, code: int = 0, stdin: str = "") -> Result:
        """Run a verb and hold it to its exit code."""
        line = ["--directory", str(self.layout.root), *map(str, words)]
        found = CliRunner().invoke(cli, line, obj=lambda: self.now, input=stdin)
        assert found.exit_code == code, found.output
        assert "Traceback" not in found.output
        return found

    def json(self, *words: str | Path, code: int = 0) -> object:
        """Run a verb that reads; return what it says."""
        found: object = json.loads(self.run(*words, "--json", code=code).output)
        return found

    def file(self, name: str, text: str) -> Path:
        """Write a file beside the directory."""
        (self.root / name).write_text(text)
        return self.root / name

    def after(self, days: float) -> None:
        """Let days pass."""
        self.now = NOW + dt.timedelta(days=days)


@pytest.fixture
def empty(tmp_path: Path) -> Bench:
    """A bench without an authority."""
    return Bench(tmp_path)


@pytest.fixture
def bench(empty: Bench) -> Bench:
    """A bench with an authority for clinic.example."""
    empty.run("init", "Clinic 7", "--domain", "clinic.example")
    return empty


def commands(command: click.Command, path: str = "appliance-pki") -> Iterator[tuple[str, click.Command]]:
    """Every verb, by what is typed."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from commands(inner, f"{path} {name}")


VERBS = dict(commands(cli))
DOCUMENT = (ROOT / "docs" / "certificates.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", VERBS)
def test_every_verb_has_help_and_stands_in_the_document(path: str) -> None:
    found = CliRunner().invoke(cli, [*path.split()[1:], "--help"])
    assert found.exit_code == 0 and VERBS[path].help
    assert all(isinstance(one, click.Argument) or getattr(one, "help", None) for one in VERBS[path].params)
    assert re.search(rf"\b{re.escape(path)}\b", DOCUMENT)


def test_every_exit_code_stands_in_the_document() -> None:
    assert set(MEANINGS) == set(ExitCode)
    for code, meaning in MEANINGS.items():
        assert f"| {code.value} | {meaning} |" in DOCUMENT


def test_no_verb_takes_a_secret_on_the_command_line() -> None:
    for path, verb in VERBS.items():
        for one in verb.params:
            assert one.name not in ("passphrase", "password", "secret"), path


def test_the_command_is_installed_under_its_name() -> None:
    assert "appliance-pki = pki.__main__:main" in (ROOT / "setup.cfg").read_text()
    words = [sys.executable, "-m", "pki", "nonsense"]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert found.returncode == ExitCode.USAGE and "appliance-pki" in found.stderr


@pytest.mark.parametrize("error", [family for family, _ in RULES])
def test_every_error_has_an_exit_code(error: type[Exception]) -> None:
    assert exit_code(error("x")) is not ExitCode.INTERNAL
    assert exit_code(RuntimeError()) is ExitCode.INTERNAL


def test_an_authority_is_made_once(empty: Bench) -> None:
    first = empty.run("init", "Clinic 7").output
    assert "give this to everybody" in first and "back this up" in first
    assert empty.layout.ca_key.stat().st_mode & 0o777 == 0o600
    assert "next: " in empty.run("init", "Clinic 7", code=ExitCode.EXISTS).stderr
    assert openssl("crl", "-noout", "-in", empty.layout.crl, "-CAfile", empty.layout.ca_certificate).returncode == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("init", "x" * 65), ExitCode.REFUSED),
        (("init", "A", "--domain", "*.example"), ExitCode.REFUSED),
        (("init", "A", "--network", "10.0.0.1/8"), ExitCode.REFUSED),
        (("init", "A", "--any-name", "--domain", "a.example"), ExitCode.USAGE),
        (("init", "A", "--key", "rsa1024"), ExitCode.USAGE),
        (("init", "A", "--passphrase-file", __file__), ExitCode.USAGE),
        (("init", "A", "--encrypt"), ExitCode.LOCKED),
        (("check",), ExitCode.NOT_FOUND),
        (("list",), ExitCode.NOT_FOUND),
        (("crl",), ExitCode.NOT_FOUND),
        (("renew",), ExitCode.NOT_FOUND),
        (("revoke", "x"), ExitCode.NOT_FOUND),
        (SERVER, ExitCode.NOT_FOUND),
        (("issue", "signing", "clinic-7"), ExitCode.NOT_FOUND),
        ((), ExitCode.USAGE),
    ],
)
def test_before_there_is_an_authority(empty: Bench, words: tuple[str, ...], code: int) -> None:
    said = empty.run(*words, code=code).stderr
    assert "next: " in said or code == ExitCode.USAGE
    assert not empty.layout.root.exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("issue", "server", "www.bank.example"), ExitCode.REFUSED),
        (("issue", "server", "pacs.local", "--ip", "192.0.2.7"), ExitCode.REFUSED),
        (("issue", "server", "*.clinic.example"), ExitCode.REFUSED),
        (("issue", "server", "pacs.local", "--days", "826"), ExitCode.REFUSED),
        (("issue", "server", "pacs.local", "--replace"), ExitCode.REFUSED),
        (("issue", "server", "pacs.local", "--group", "no-such-group"), ExitCode.USAGE),
        (("issue", "box", "Clinic 7", "--machine", MACHINE), ExitCode.REFUSED),
        (("issue", "box", "clinic-7", "--machine", "7"), ExitCode.REFUSED),
        (("issue", "modality", "CT1"), ExitCode.REFUSED),
        (("issue", "modality", "A" * 17, "--address", "10.0.0.1"), ExitCode.REFUSED),
        (("issue", "modality", "CT1", "--address", "10.0.0.0/8"), ExitCode.REFUSED),
        (("issue", "signing", "Clinic"), ExitCode.REFUSED),
        (("renew", "--force"), ExitCode.USAGE),
        (("renew", "--name", "../../etc"), ExitCode.NOT_FOUND),
        (("renew", "--name", "box-none"), ExitCode.NOT_FOUND),
        (("revoke", "zz"), ExitCode.NOT_FOUND),
        (("revoke", "box-none", "--retire"), ExitCode.NOT_FOUND),
        (("check", "--crl", __file__), ExitCode.USAGE),
    ],
)
def test_what_is_refused_changes_nothing(bench: Bench, words: tuple[str, ...], code: int) -> None:
    said = bench.run(*words, code=code).stderr
    assert "next: " in said or code == ExitCode.USAGE
    assert not list(bench.layout.live.iterdir()) and not bench.layout.ledger.exists()


def test_the_walk_from_issue_to_revocation(bench: Bench) -> None:
    assert "pacs.clinic.example, pacs.local, 10.0.0.7" in bench.run(*SERVER).output
    bench.run(*BOX)
    bench.run("issue", "modality", "CT 1", "--address", "10.0.0.9", "--key", "rsa2048")
    assert "public.pem" in bench.run("issue", "signing", "clinic-7").output
    bench.run(*SERVER, code=ExitCode.EXISTS)
    assert "generation 2" in bench.run(*SERVER, "--dns", "viewer.clinic.example", "--replace").output
    rows = bench.json("list")
    assert isinstance(rows, list)
    assert [row["name"] for row in rows] == [
        "box-clinic-7",
        "modality-CT%201",
        "server-pacs.clinic.example",
        "signing-clinic-7",
    ]
    found = bench.json("check")
    assert isinstance(found, dict) and found["state"] == "ok"
    bench.run("revoke", "box-clinic-7", "--reason", "key_compromise")
    assert "revoke NAME --retire" not in bench.run("check", code=2).output
    bench.run("revoke", "box-clinic-7", "--retire")
    assert "nothing is due" in bench.run("renew").output
    bench.run("check")
    register = bench.json("list", "--all")
    assert isinstance(register, list)
    assert [row["revoked"] for row in register] == [None, "key_compromise", None, None]
    bench.run(*BOX)
    bench.run("check")


def test_the_timer_renews_what_is_due_and_the_list(bench: Bench) -> None:
    bench.run(*SERVER)
    bench.run(*BOX, "--days", "800")
    bench.after(61)
    assert "crl.pem: 0 revoked" in bench.run("renew").output
    bench.after(150)
    assert "crl.pem: 0 revoked" in bench.run("renew").output
    bench.after(225)
    bench.run("crl")
    bench.after(270)
    said = bench.run("check", code=1).output
    assert "two thirds of its life are over" in said
    said = bench.run("renew").output
    assert "server-pacs.clinic.example: generation 2 is live" in said and "box" not in said
    assert "nothing is due" in bench.run("renew").output
    bench.run("check")
    said = bench.run("renew", "--name", "box-clinic-7", "--force", "--reuse-key").output
    assert "box-clinic-7: generation 2" in said


def test_what_cannot_be_renewed_is_said_and_ends_with_1(bench: Bench) -> None:
    bench.run(*BOX)
    bench.run("revoke", "box-clinic-7")
    bench.after(300)
    said = bench.run("renew", code=1).stderr
    assert "box-clinic-7 is not renewed: revoked" in said and "--retire" in said


def test_an_encrypted_key_asks_for_its_passphrase(empty: Bench) -> None:
    right, wrong, none = (empty.file(name, f"{name}\n") for name in ("right", "wrong", "none"))
    none.write_text("\n")
    empty.run("init", "Clinic 7", "--encrypt", "--passphrase-file", right)
    assert b"ENCRYPTED" in empty.layout.ca_key.read_bytes()
    for words, code in (
        (("--passphrase-file", right), 0),
        (("--passphrase-file", wrong, "--replace"), ExitCode.LOCKED),
        (("--passphrase-file", none, "--replace"), ExitCode.REFUSED),
        (("--replace",), ExitCode.LOCKED),
    ):
        found = empty.run(*BOX, *words, code=code)
        assert "right" not in found.output.replace(str(right), "") and "wrong" not in found.output.replace(
            str(wrong), ""
        )
    empty.run("check")


def _request(bench: Bench, *names: str, subject: str = "/CN=x") -> Path:
    words = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject]
    more = ["-addext", f"subjectAltName={','.join(names)}"] if names else []
    found = openssl(*words, "-keyout", bench.root / "own.key", "-out", bench.root / "own.csr", *more)
    assert found.returncode == 0, found.stderr
    return bench.root / "own.csr"


def test_a_request_gets_the_operators_names_or_its_own_checked(bench: Bench) -> None:
    csr = _request(bench, "DNS:viewer.clinic.example", "IP:10.0.0.8")
    said = bench.run("sign", "server", "pacs.clinic.example", "--csr", csr).output
    assert "signed for: pacs.clinic.example, pacs.local, viewer.clinic.example, 10.0.0.8" in said
    assert not lineage.current(bench.layout, "server-pacs.clinic.example").key.exists()
    said = bench.run("sign", "server", "pacs.clinic.example", "--csr", csr, "--dns", "a.local", "--replace").output
    assert "signed for: pacs.clinic.example, pacs.local, a.local\n" in said
    bench.run("check")
    bench.after(300)
    assert "needs a new request" in bench.run("renew", code=1).stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("server", "pacs.local"), ExitCode.REFUSED),
        (("box", "clinic-7"), ExitCode.REFUSED),
        (("modality", "CT1"), ExitCode.REFUSED),
        (("box", "clinic-7", "--machine", MACHINE, "--dns", "a.local"), ExitCode.USAGE),
        (("box", "clinic-7", "--machine", MACHINE, "--both"), ExitCode.USAGE),
        (("server", "pacs.local", "--machine", MACHINE), ExitCode.USAGE),
        (("authority", "x"), ExitCode.USAGE),
        (("box", "clinic-7", "--machine", MACHINE), 0),
        (("modality", "CT1", "--address", "10.0.0.9"), 0),
    ],
)
def test_a_request_is_for_the_profile_and_name_the_operator_says(
    bench: Bench, words: tuple[str, ...], code: int
) -> None:
    csr = _request(bench, "DNS:www.bank.example", "URI:urn:dicom-edge:site:clinic-8", subject="/CN=clinic-8")
    bench.run("sign", *words, "--csr", csr, code=code)
    if code == 0:
        assert "clinic-8" not in bench.run("list").output


def test_export_for_consoles_boxes_and_everybody(bench: Bench) -> None:
    bench.run("issue", "modality", "CT1", "--address", "10.0.0.9", "--key", "rsa2048")
    bench.run(*BOX)
    bench.run("issue", "signing", "clinic-7")
    secret = bench.file("secret", "hush hush\n")
    for form in ("pkcs12", "pkcs12-legacy"):
        target = bench.root / form
        words = ("export", "modality-CT1", "--to", target, "--form", form, "--passphrase-file", secret)
        assert "private key" in bench.run(*words).output
        assert target.stat().st_mode & 0o777 == 0o600
        bench.run(*words, code=ExitCode.EXISTS)
        found = openssl("pkcs12", "-legacy", "-in", target, "-noout", "-passin", f"file:{secret}")
        assert found.returncode == 0, found.stderr
    bench.run("export", "box-clinic-7", "--to", bench.root / "box", "--form", "folder")
    assert (bench.root / "box" / "key.pem").stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(bench.root / "box")) == ["cert.pem", "chain.pem", "fullchain.pem", "key.pem"]
    bench.run("check", "--folder", bench.root / "box", "--crl", bench.layout.crl, code=2)
    bench.run("export", "ca", "--to", bench.root / "ca.der", "--form", "der")
    assert x509.load_der_x509_certificate((bench.root / "ca.der").read_bytes()) == bench.layout.certificate()
    bench.run("export", "ca", "--to", bench.root / "ca.p12", "--passphrase-file", secret, code=ExitCode.REFUSED)
    bench.run("export", "ca", "--to", bench.root / "ca", "--form", "folder", code=ExitCode.REFUSED)
    bench.run("export", "signing-clinic-7", "--to", bench.root / "s", "--form", "pem", code=ExitCode.REFUSED)
    bench.run("export", "none", "--to", bench.root / "s", "--form", "pem", code=ExitCode.NOT_FOUND)


def test_two_runs_do_not_change_things_at_once(bench: Bench) -> None:
    with disk.locked(bench.layout.root / "lock"):
        for words in (BOX, ("crl",), ("renew",), ("issue", "signing", "clinic-7")):
            assert "another run holds" in bench.run(*words, code=ExitCode.BUSY).stderr
        bench.run("check")
    bench.run(*BOX)


def test_another_user_than_the_owner_is_sent_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert "belongs to user" in bench.run("crl", code=ExitCode.LOCKED).stderr


def test_a_full_disk_is_said_plainly(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left on device: somewhere" in bench.run(*BOX, code=ExitCode.INPUT_OUTPUT).stderr


def test_this_machines_hash_is_printed_and_the_default_of_a_box(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pki.machine.machine_hash", lambda: MACHINE)
    assert bench.json("machine") == {"machine": MACHINE}
    assert bench.run("machine").output == MACHINE + "\n"
    bench.run("issue", "box", "clinic-7")
    bench.run("export", "box-clinic-7", "--to", bench.root / "box", "--form", "folder")
    bench.run("check", "--folder", bench.root / "box", "--crl", bench.layout.crl)


def test_what_a_file_says_does_not_steer_the_terminal(bench: Bench) -> None:
    bench.run(*BOX)
    record = lineage.current(bench.layout, "box-clinic-7").directory / "lineage.json"
    record.write_text('{"order": {"\x1b[2J": 1}}')
    assert "\x1b" not in bench.run("check", code=2).output


def test_a_defect_has_a_code_of_its_own_for_1_means_that_something_is_due(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("defect")

    monkeypatch.setattr("pki.check.everything", fail)
    found = CliRunner().invoke(cli, ["--directory", str(bench.layout.root), "check"], obj=lambda: bench.now)
    assert found.exit_code == ExitCode.INTERNAL
    assert "a defect of this program: KeyError" in found.output
