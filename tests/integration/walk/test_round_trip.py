"""What went over the wire comes back byte for byte after group 2, for every readable file at hand."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.archive.group2 import read_labels
from appliance.archive.room import Archive
from tests.archives import new_archive, small_settings
from tests.builders.collection import Specimen, specimens
from tests.partners.appliance import Appliance
from tests.partners.raw_scu import RawScu

PEERS = json.dumps([{"ae_title": "RAWSCU", "conflict_policy": "newest"}])


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Appliance]:
    """The DICOM and web rooms on one home; what this sender sends last becomes current."""
    home = tmp_path / "home"
    new_archive(home).close()
    with Appliance(home, {"APPLIANCE__SCP__PEERS": PEERS, "APPLIANCE__SCP__ACCEPT_UNKNOWN": "true"}) as box:
        box.start("scp")
        box.start("web")
        box.wait_ready("scp")
        box.wait_answering("web")
        yield box


def retrieved(box: Appliance, study_uid: str, series_uid: str, sop_uid: str) -> tuple[str, bytes]:
    """Transfer syntax and data set bytes of an instance, by WADO-RS."""
    url = f"{box.dicomweb}/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}"
    request = urllib.request.Request(url, headers={"Accept": "application/dicom; transfer-syntax=*"})
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.headers.get_content_type() == "application/dicom"
        labels, start = read_labels(response)
        return labels.transfer_syntax_uid, start + response.read()


def place(archive: Archive, specimen: Specimen) -> tuple[str, str, str]:
    """The UIDs under which the index has a specimen."""
    with archive.database.read() as cx:
        row = cx.execute(
            "SELECT study_uid, series_uid, sop_uid FROM instance WHERE sop_uid = ?", (specimen.sop_uid,)
        ).fetchone()
    return tuple(row)


def test_there_are_many_files_and_many_transfer_syntaxes() -> None:
    assert len(specimens()) > 200
    assert len({specimen.transfer_syntax_uid for specimen in specimens()}) >= 11


@pytest.mark.timeout(180)
def test_byte_identical_by_c_store(box: Appliance) -> None:
    archive = Archive.open(small_settings(box.home), "test")
    for specimen in specimens():
        context = ((specimen.sop_class_uid, (specimen.transfer_syntax_uid,)),)
        with RawScu("127.0.0.1", box.scp_port, contexts=context) as scu:
            status = scu.store(specimen.sop_class_uid, specimen.sop_uid, specimen.transfer_syntax_uid, specimen.data)
        assert status == 0, specimen.path.name
        syntax, data = retrieved(box, *place(archive, specimen))
        assert syntax == specimen.transfer_syntax_uid, specimen.path.name
        assert data == specimen.data, specimen.path.name
    archive.close()


@pytest.mark.timeout(180)
def test_byte_identical_by_stow(tmp_path: Path) -> None:
    home = tmp_path / "home"
    archive = new_archive(home)
    with Appliance(home) as box:
        box.start("web")
        box.wait_answering("web")
        for specimen in specimens():
            stow(box, specimen.path.read_bytes())
            for conflict in archive.conflicts.list():
                archive.conflicts.accept(conflict["id"], "further", by="test")
            syntax, data = retrieved(box, *place(archive, specimen))
            assert syntax == specimen.transfer_syntax_uid, specimen.path.name
            assert data == specimen.data, specimen.path.name
    archive.close()


def stow(box: Appliance, content: bytes) -> None:
    """Store one file by STOW-RS."""
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--b--\r\n"
    request = urllib.request.Request(
        f"{box.dicomweb}/studies",
        data=body,
        headers={
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=b',
            "Accept": "application/dicom+json",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.status in (200, 202)


def elements(path: Path) -> list[str]:
    """Every element of the data set as dcmdump prints it, but for what dcmtk itself changes on the way.

    That is: group lengths, padding at the end, and whether a sequence's length is stated.
    """
    command = ["dcmdump", "--quiet", "--load-all", "--print-all", "+L", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=True, timeout=60)
    wanted = re.compile(r"\s*\((?!0002|fffc|fffe,e00d|fffe,e0dd)[0-9a-f]{4},(?!0000)[0-9a-f]{4}\)")
    lines = [line.rpartition("#")[0] for line in done.stdout.splitlines() if wanted.match(line)]
    return [re.sub(r"with (explicit|undefined) length", "", line).rstrip() for line in lines]


@pytest.mark.timeout(180)
def test_element_equal_by_dcmtk(box: Appliance) -> None:
    """dcmtk sends the files it can read, and finds the same elements in what the archive then holds."""
    archive = Archive.open(small_settings(box.home), "test")
    native = [s for s in specimens() if s.transfer_syntax_uid in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")]
    sent = 0
    for specimen in native:
        command = ["storescu", "-R", "-aet", "RAWSCU", "-aec", "APPLIANCE", "127.0.0.1", str(box.scp_port)]
        done = subprocess.run(
            [*command, str(specimen.path)],
            capture_output=True, text=True, check=False, timeout=60, env={"TCP_NODELAY": "1", "PATH": "/usr/bin"},
        )  # fmt: skip
        if done.returncode != 0:
            assert "presentation context" in done.stderr.lower(), done.stderr
            continue
        (found,) = archive.reading.instances(*place(archive, specimen))
        if found.transfer_syntax_uid == specimen.transfer_syntax_uid:
            assert elements(found.path) == elements(specimen.path), specimen.path.name
            sent += 1
    archive.close()
    assert sent > len(native) * 3 // 4
