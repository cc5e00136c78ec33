"""No patient in a bundle: one is planted everywhere, everything is made to fail, and every member is searched."""

from __future__ import annotations

import json
import tarfile
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from appliance.archive.settings import ArchiveSettings
from appliance.care.bundle import journal
from appliance.care.bundle.collecting import Request
from appliance.care.bundle.metrics import metrics_text
from appliance.care.bundle.writing import Bundle, write
from appliance.clock import SystemClock
from appliance.config import load
from appliance.model.attributes import Level
from tests.builders.instances import CT_IMAGE_STORAGE, ct, encode, part10
from tests.crash.storing import opened
from tests.partners.appliance import Appliance
from tests.partners.raw_scu import RawScu, Rejected
from tests.unit.care.bundle.planted import LATIN, PATIENTS, SHARED, STRANGER, UID, found_in, values
from tests.waiting import wait_until

SYNTAX = str(ExplicitVRLittleEndian)
NAME = "Quimbleton^Xanthippe"
WORDS = f"waiting for {NAME}, born {SHARED['PatientBirthDate']}"
PLANTED_LINES = (
    f"2026-11-22T09:36:32.763Z [info     ] stored name={NAME}",
    f"2026-11-22T09:36:32.763Z [warning  ] no DICOM file path=/mnt/{NAME.replace('^', '_')}.dcm",
    f"2026-11-22T09:36:32.763Z [debug    ] header {LATIN}",
    f"2026-11-22T09:36:32.763Z [info     ] query url=/studies?PatientName={urllib.parse.quote(LATIN)}",
)


def planted(number: int, **more: Any) -> Any:
    """One of the patient's objects."""
    uids = {
        "StudyInstanceUID": f"{UID}.{number}",
        "SeriesInstanceUID": f"{UID}.{number}.1",
        "SOPInstanceUID": f"{UID}.{number}.1.1",
    }
    return ct(**{**SHARED, **PATIENTS[number % len(PATIENTS)], **uids, **more})


class Refusing(BaseHTTPRequestHandler):
    """A store that refuses every object, and says whose."""

    def do_POST(self) -> None:
        """Refuse."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = f"refused: {NAME} {LATIN}".encode()
        self.send_response(400, "Bad Request")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of a store that refuses."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/dicom-web"
        server.shutdown()
        thread.join()


@pytest.fixture
def box(tmp_path: Path, refusing: str) -> Iterator[Appliance]:
    """A box with a sink that is not there, one that refuses every object, and one that cannot be written to."""
    sinks = {
        "centre": {"kind": "stow", "url": "http://127.0.0.1:9/dicom-web", "headers": {"X-Api-Key": "hunter2pw"}},
        "refusing": {"kind": "stow", "url": refusing},
        "shelf": {"kind": "directory", "path": "/proc/nowhere"},
    }
    with Appliance(tmp_path / "home", {"APPLIANCE__SYNC__SINKS": json.dumps(sinks)}) as appliance:
        appliance.start()
        appliance.wait_ready()
        yield appliance


def store_and_fail(box: Appliance, tmp_path: Path) -> None:
    """Objects that are stored, contested, in quarantine, imported, not DICOM; callers that are refused."""
    contexts = ((CT_IMAGE_STORAGE, (SYNTAX,)),)
    with RawScu("127.0.0.1", box.scp_port, calling="XANTHIPPE", contexts=contexts) as scu:
        for number in range(len(PATIENTS)):
            dataset = planted(number)
            assert scu.store(CT_IMAGE_STORAGE, dataset.SOPInstanceUID, SYNTAX, encode(dataset, SYNTAX)) == 0
        other = encode(planted(0, ImageComments="another content"), SYNTAX)
        assert scu.store(CT_IMAGE_STORAGE, f"{UID}.0.1.1", SYNTAX, other) == 0
        nameless = encode(planted(1, StudyInstanceUID=None), SYNTAX)
        assert scu.store(CT_IMAGE_STORAGE, f"{UID}.1.1.1", SYNTAX, nameless) == 0xC000
    with suppress(Rejected), RawScu("127.0.0.1", box.scp_port, calling="QUIMBLETON", called=NAME[:16]):
        pass
    folder = tmp_path / f"{NAME} 19130417"
    folder.mkdir()
    (folder / "Mühlhäusser Zäzilia.dcm").write_bytes(part10(planted(2, SOPInstanceUID=generate_uid())))
    (folder / f"{NAME}.txt").write_text(NAME)
    (folder / f"{NAME}.dcm").write_bytes(part10(planted(3))[:400])
    box.command("import", str(folder), check=False)


def ask_and_fail(box: Appliance) -> None:
    """Queries by name, views of what cannot be shown, paths that lead nowhere, an operator's words."""
    query = urllib.parse.urlencode({"PatientName": LATIN, "PatientID": SHARED["PatientID"], "fuzzymatching": "true"})
    for path in (
        f"/dicom-web/studies?{query}",
        f"/dicom-web/studies?PatientBirthDate={SHARED['PatientBirthDate']}&x=1",
        f"/dicom-web/studies/{UID}.0/series/{UID}.0.1/instances/{UID}.0.1.1/rendered?viewport={NAME}",
        f"/dicom-web/studies/{urllib.parse.quote(NAME)}",
        f"/{urllib.parse.quote(LATIN)}?{query}",
    ):
        box.get(path)
    with opened(box.home) as archive:
        archive.outbox.hold("centre", STRANGER)
        archive.uses.pin(f"{UID}.0", by="me", reason=WORDS)
        archive.deletions.delete(Level.STUDY, f"{UID}.1", reason=WORDS, by="me", force=True)
        wait_until(lambda: archive.outbox.stats()["refusing"].dead, 60)


def bundle_of(box: Appliance, path: Path) -> Bundle:
    """Make a bundle as on a machine with systemd, whose journal holds what the rooms have said, and planted lines."""
    lines = [*box.output().splitlines(), *PLANTED_LINES]
    entries: list[dict[str, Any]] = [
        {"MESSAGE": line, "_SYSTEMD_UNIT": "dicom-edge-web.service", "PRIORITY": "6"} for line in lines
    ]
    entries.append({"MESSAGE": list(LATIN.encode("latin-1")), "PRIORITY": "6"})

    def run(command: Sequence[str]) -> bytes:
        if command[0] == "journalctl":
            return "\n".join(map(json.dumps, entries)).encode()
        if command[0] == "systemctl":
            return b"Id=dicom-edge-web.service\nActiveState=active\n"
        return box.command(*command, check=False).stdout.encode()

    loaded = load(None, box._environ).settings
    layout = ArchiveSettings(**loaded.archive_values())
    request = Request(layout, (), dict, lambda: metrics_text(loaded), run)
    return write(path, request, SystemClock())


def test_invariant_8_no_patient_is_in_a_bundle(box: Appliance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "is_there", lambda: True)
    store_and_fail(box, tmp_path)
    ask_and_fail(box)
    bundle = bundle_of(box, tmp_path / "bundle.tar.gz")
    assert (tmp_path / "bundle.tar.gz").stat().st_mode & 0o777 == 0o600
    with tarfile.open(tmp_path / "bundle.tar.gz") as archive:
        members = {one.name: archive.extractfile(one).read() for one in archive.getmembers()}  # type: ignore[union-attr]
    assert {name: found for name, data in members.items() if (found := found_in(name.encode() + data))} == {}
    assert not bundle.failed
    everything = b"".join(members.values())
    assert b"hunter2pw" not in everything
    said = members["support-bundle/journal.txt"].decode()
    assert len(said.splitlines()) > 5 and "uid-" in said
    assert bundle.omitted["journal.txt"] >= 4 and bundle.omitted["journal.txt, of severity DEBUG"] == 1
    assert json.loads(members["support-bundle/status.json"])["quarantined"] >= 1
    assert json.loads(members["support-bundle/tables.json"])["study"] == len(PATIENTS) - 1


def test_the_search_finds_what_is_planted() -> None:
    for value in values():
        assert value in found_in(b"x" + value.encode() + b"y")
    assert found_in(urllib.parse.quote(LATIN).lower().encode()) >= {LATIN}
    assert not found_in(b"door open ports=[11112] ae_title=APPLIANCE")
