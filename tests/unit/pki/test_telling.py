"""Programs are told of new certificates once, until it worked; two certificates of one host lie apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pki import issuing, lineage, profiles, telling
from pki.authority import Authority
from pki.errors import Refused
from pki.layout import Layout
from pki.lineage import Record
from tests.unit.pki.conftest import NOW
from tests.unit.pki.test_cli import SERVER, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A directory with an authority and a server."""
    made = Bench(tmp_path)
    made.run("init", "Clinic 7", "--domain", "clinic.example")
    made.run(*SERVER)
    return made


def test_the_command_is_run_when_something_is_new_and_not_again(bench: Bench, tmp_path: Path) -> None:
    told = tmp_path / "calls"
    tell = ("renew", "--on-change", f"sh -c 'echo called >> {told}'")
    bench.run(*tell)
    bench.run(*tell)
    assert told.read_text() == "called\n"
    bench.run(*SERVER, "--replace")
    bench.run(*tell)
    assert told.read_text() == "called\ncalled\n"


def test_a_command_that_failed_is_tried_again(bench: Bench, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    tell = ("renew", "--on-change", f"test -e {mended}")
    assert "it ended with 1" in bench.run(*tell, code=1).output
    mended.touch()
    bench.run(*tell)
    mended.unlink()
    bench.run(*tell)


def test_what_was_renewed_is_told_although_something_else_could_not_be(bench: Bench, tmp_path: Path) -> None:
    told = tmp_path / "calls"
    bench.run("issue", "box", "clinic-7", "--machine", "ab" * 32)
    bench.run("revoke", "box-clinic-7")
    bench.after(400)
    bench.run("renew", "--on-change", f"touch {told}", code=1)
    assert told.exists()


def test_a_revocation_is_told_at_once(bench: Bench, tmp_path: Path) -> None:
    told = tmp_path / "calls"
    bench.run("revoke", "server-pacs.clinic.example", "--on-change", f"touch {told}")
    assert told.exists()


def test_what_could_not_be_told_is_revoked_all_the_same(bench: Bench) -> None:
    bench.run("revoke", "server-pacs.clinic.example", "--on-change", "false", code=1)
    assert "server-pacs.clinic.example" in bench.run("check", code=2).output


def test_a_program_that_is_not_there_is_named(bench: Bench) -> None:
    assert "/nowhere/at-all" in bench.run("renew", "--on-change", "/nowhere/at-all", code=1).output


@pytest.mark.parametrize("command", ["", "echo 'open"])
def test_what_is_no_command_is_refused(bench: Bench, command: str) -> None:
    bench.run("renew", "--on-change", command, code=64)


def test_a_label_tells_two_of_one_host_apart(layout: Layout, authority: Authority) -> None:
    with layout.changing():
        for label in ("", "dicom"):
            order = profiles.server("pacs.clinic.example", label=label)
            issuing.issue(layout, authority, Record(order), now=NOW)
    found = {one.name: one.record.order for one in lineage.all_of(layout)}
    assert set(found) == {"server-pacs.clinic.example", "server-pacs.clinic.example+dicom"}
    assert {order.dns for order in found.values()} == {("pacs.clinic.example", "pacs.local")}


@pytest.mark.parametrize("label", ["Dicom", "a+b", "-a", "a/b", "."])
def test_a_label_is_one_word(label: str) -> None:
    with pytest.raises(Refused):
        profiles.server("pacs.clinic.example", label=label)


def test_a_record_of_an_older_version_is_read() -> None:
    record = Record(profiles.server("pacs.clinic.example"))
    old = json.loads(record.text())
    del old["order"]["label"]
    assert Record.read(json.dumps(old).encode()) == record


def test_what_is_in_force_has_another_hash_after_every_change(layout: Layout, authority: Authority) -> None:
    seen = {telling.in_force(layout)}
    for _ in range(2):
        with layout.changing():
            issuing.issue(layout, authority, Record(profiles.server("pacs.clinic.example")), now=NOW)
        seen.add(telling.in_force(layout))
    assert len(seen) == 3
