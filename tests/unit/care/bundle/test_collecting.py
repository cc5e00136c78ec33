"""What goes into a bundle when parts of the box cannot be asked."""

from __future__ import annotations

import json
import os
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from appliance.care.bundle import journal, packing
from appliance.care.bundle.collecting import Request, asked, collect
from appliance.care.bundle.pseudonyms import Pseudonyms
from appliance.errors import ArchiveFailed
from tests.archives import new_archive, sender, small_settings
from tests.builders.instances import ct, part10

NAMES = Pseudonyms(b"k" * 32)


def request(home: Path) -> Request:
    """A request whose verbs answer with an empty object, and whose journal has one line."""
    line = json.dumps({"MESSAGE": "Jane Nobody"}).encode()
    return Request(
        small_settings(home),
        (),
        dict,
        lambda: b"# metrics\n",
        lambda command: line if "journalctl" in command else b"{}",
    )


@pytest.fixture(autouse=True)
def _with_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "is_there", lambda: True)


def test_without_an_index_nothing_goes_in_that_objects_have_a_part_in(tmp_path: Path) -> None:
    found = collect(request(tmp_path), NAMES)
    assert set(found.members) == {
        "versions.json", "machine.json", "certificates.json", "configuration.json", "configuration-check.json",
        "doctor.json", "units.txt",
    }  # fmt: skip
    assert found.failed.keys() == {"journal", "tables"}
    assert not os.listdir(tmp_path)


def test_a_damaged_index_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "index.db").write_bytes(b"no database" * 1000)
    assert "journal.txt" not in collect(request(tmp_path), NAMES).members


def test_a_part_that_fails_is_told_by_its_kind_and_hinders_no_other(tmp_path: Path) -> None:
    new_archive(tmp_path / "home").close()
    values = request(tmp_path / "home")

    def broken() -> bytes:
        raise ValueError("Jane Doe")

    found = collect(Request(values.layout, (), dict, broken, lambda command: None), NAMES)
    assert found.failed["metrics.txt"] == "ValueError" and found.failed["status"] == "JSONDecodeError"
    assert {"versions.json", "tables.json", "journal.txt"} <= set(found.members)


def test_secrets_are_masked_and_a_patient_goes_as_a_key_too(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "home")
    archive.ingest.receive_file(BytesIO(part10(ct(PatientName="Quimbleton^Xanthippe"))), sender())
    archive.close()
    line = json.dumps({"MESSAGE": "login password=hunter2"}).encode()
    said = json.dumps({"password": "hunter2", "mounted at /media/Quimbleton": 1}).encode()
    values = request(tmp_path / "home")
    run = lambda command: line if "journalctl" in command else said  # noqa: E731
    found = collect(Request(values.layout, (), dict, values.metrics, run), NAMES)
    everything = b"".join(data for name, data in found.members.items() if not name.startswith("sbom/"))
    assert b"hunter2" not in everything and b"Quimbleton" not in everything
    assert b"login password=***" in found.members["journal.txt"]


def test_a_command_that_is_not_there_says_nothing() -> None:
    assert asked(["/no/such/program"]) is None


def test_a_bundle_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    def members() -> object:
        yield "one", b"1"
        raise OSError(5, "Input/output error")

    with pytest.raises(ArchiveFailed):
        packing.pack(tmp_path / "b.tar.gz", members(), "x", 0)  # type: ignore[arg-type]
    assert not os.listdir(tmp_path)


def test_a_bundle_is_for_its_owner_alone(tmp_path: Path) -> None:
    packing.pack(tmp_path / "b.tar.gz", [("one", b"1")], "x", 0)
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o777 == 0o600
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        assert [(one.name, one.mode) for one in archive.getmembers()] == [("x/one", 0o600)]
