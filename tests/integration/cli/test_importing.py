"""`appliance import`: everything is counted, nothing is taken twice, an interrupted run goes on."""

from __future__ import annotations

import errno
import json
import os
import signal
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from appliance.archive import ingest
from appliance.cli import intake
from appliance.errors import DiskFull
from tests.builders.instances import ct, part10, part10_of, series
from tests.integration.cli.conftest import Home
from tests.partners.appliance import Appliance
from tests.waiting import wait_until


def test_a_mixed_folder_is_sorted_out(home: Home, tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    (disc / "a").mkdir(parents=True)
    for number, image in enumerate(series(3)):
        (disc / "a" / f"{number}.dcm").write_bytes(part10(image))
    (disc / "twice.dcm").write_bytes((disc / "a" / "0.dcm").read_bytes())
    (disc / "without-uids.dcm").write_bytes(part10(ct(StudyInstanceUID=None)))
    (disc / "readme.txt").write_text("hello")
    (disc / "link").symlink_to(disc / "a")
    (disc / "DICOMDIR").write_bytes(
        part10_of(b"", "1.2.840.10008.1.2.1", sop_class_uid="1.2.840.10008.1.3.10", sop_uid="1.2")
    )
    counts = home.json("import", disc, code=1)
    troubles = counts.pop("troubles")
    assert counts == {
        "stored": 3,
        "duplicate": 1,
        "conflict": 0,
        "quarantined": 1,
        "not_dicom": 1,
        "failed": 0,
        "imported_before": 0,
        "skipped": 2,
    }
    assert [Path(trouble["path"]).name for trouble in troubles] == ["without-uids.dcm"]
    assert home.json("status", code=1)["instances"] == 3


def test_a_second_run_passes_by_what_was_taken(home: Home, tmp_path: Path) -> None:
    (tmp_path / "disc").mkdir()
    for number, image in enumerate(series(4)):
        (tmp_path / "disc" / f"{number}.dcm").write_bytes(part10(image))
    assert home.json("import", tmp_path / "disc")["stored"] == 4
    assert home.json("import", tmp_path / "disc")["imported_before"] == 4
    assert home.json("import", "--again", tmp_path / "disc")["duplicate"] == 4


def test_other_bytes_under_a_known_uid_are_a_conflict(home: Home, tmp_path: Path) -> None:
    first = ct(StudyDescription="first")
    (tmp_path / "1.dcm").write_bytes(part10(first))
    home.run("import", tmp_path / "1.dcm")
    first.StudyDescription = "further"
    (tmp_path / "2.dcm").write_bytes(part10(first))
    assert home.json("import", tmp_path / "2.dcm")["conflict"] == 1


def test_a_file_that_cannot_be_read_is_reported(home: Home, tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    disc.mkdir()
    (disc / "good.dcm").write_bytes(part10(ct()))
    (disc / "no-syntax.dcm").write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01")
    counts = home.json("import", disc, code=1)
    assert (counts["stored"], counts["failed"]) == (1, 1)


def test_an_assumed_character_set_is_used(home: Home, tmp_path: Path) -> None:
    data = part10(ct(SpecificCharacterSet="GBK", PatientName="张^三"))
    declaration = b"\x08\x00\x05\x00CS\x04\x00GBK "
    assert declaration in data
    (tmp_path / "x.dcm").write_bytes(data.replace(declaration, b""))
    home.run("import", "--charset", "gbk", tmp_path / "x.dcm")
    event = next(row for row in home.json("outbox", "list") if row["kind"] == "state")
    assert "张" in str(home.json("outbox", "show", str(event["event_id"]))["payload"])


def test_an_unknown_character_set_is_a_usage_error(home: Home, tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_bytes(part10(ct()))
    result = home.run("import", "--charset", "klingon", tmp_path / "x.dcm", code=2)
    assert "'klingon' is neither a value of Specific Character Set" in result.stderr
    assert home.json("status", code=1)["instances"] == 0


def test_a_full_disk_ends_the_import_and_a_later_run_goes_on(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disc = tmp_path / "disc"
    disc.mkdir()
    for number, image in enumerate(series(12)):
        (disc / f"{number:02}.dcm").write_bytes(part10(image))
    real, taken = ingest.Ingest.receive_file, []

    def receive(self: ingest.Ingest, stream: object, origin: object) -> object:
        taken.append(stream)
        if len(taken) > 5:
            raise DiskFull("only the reserve is left", hint="free some space")
        return real(self, stream, origin)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest.Ingest, "receive_file", receive)
    stopped = home.run("import", disc, code=73)
    assert "the import stopped before its end: only the reserve is left" in stopped.stderr
    assert "repeat the same command" in stopped.stderr
    assert len(taken) < 12
    monkeypatch.setattr(ingest.Ingest, "receive_file", real)
    counts = home.json("import", disc)
    assert counts["stored"] + counts["duplicate"] + counts["imported_before"] == 12
    assert home.json("status", code=1)["instances"] == 12


def test_a_missing_path_is_a_usage_error(home: Home, tmp_path: Path) -> None:
    assert "does not exist" in home.run("import", tmp_path / "gone", code=2).stderr


def test_a_file_without_read_permission_fails(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> BinaryIO:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(intake, "open_regular", refuse)  # root, who runs the suite, may read everything
    (tmp_path / "x.dcm").write_bytes(part10(ct()))
    counts = home.json("import", tmp_path / "x.dcm", code=1)
    assert counts["failed"] == 1
    assert counts["troubles"][0]["reason"] == "Permission denied"


def test_a_bad_sector_fails_the_file_and_not_the_import(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Scratched(BytesIO):
        """A disc that cannot be read past its first kilobyte."""

        def read(self, count: int | None = -1, /) -> bytes:
            if self.tell() + (count or 0) > 2048:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(count)

    monkeypatch.setattr(intake, "open_regular", lambda path: Scratched(path.read_bytes()))
    (tmp_path / "x.dcm").write_bytes(part10(ct(Rows=64, Columns=64, PixelData=bytes(8192))))
    counts = home.json("import", tmp_path / "x.dcm", code=1)
    assert counts["troubles"][0]["reason"] == "Input/output error"
    assert home.json("status", code=1)["instances"] == 0


def test_an_interrupted_import_ends_politely_and_goes_on(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    disc.mkdir()
    for number, image in enumerate(series(300)):
        (disc / f"{number:03}.dcm").write_bytes(part10(image))
    with Appliance(tmp_path / "home") as box:
        box.command("init")
        box.start("import", str(disc))
        journal = box.home / "import.journal"
        wait_until(lambda: journal.exists() and journal.stat().st_size > 500)
        assert box.stop("import", signal.SIGINT) == 130
        assert "Traceback" not in box.output()
        done = json.loads(box.command("import", "--json", str(disc)).stdout)
        assert done["imported_before"] > 0
        assert sum(done[fate] for fate in ("stored", "duplicate", "imported_before")) == 300
        assert box.status()["instances"] == 300
