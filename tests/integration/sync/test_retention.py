"""The walk of an object that leaves the box again: sent, read back equal, evicted by itself, opened, here again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.builders.instances import series
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance
from tests.partners.dicom_store import DicomStore, Found
from tests.waiting import wait_until


def test_invariant_13_a_box_evicts_by_itself_what_was_read_back_equal(tmp_path: Path) -> None:
    slices = list(series(3))
    changed, study = str(slices[0].SOPInstanceUID), str(slices[0].StudyInstanceUID)
    with DicomStore(tmp_path / "store") as store:
        sink = {"kind": "stow", "url": store.url, "verify": "readback", "verify_interval_hours": 0.0002}
        environ = {
            "APPLIANCE__SYNC__SINKS": json.dumps({"centre": sink}),
            "APPLIANCE__RETENTION__MAX_BYTES": "1",
            "APPLIANCE__RETENTION__KEEP_DAYS": "0",
            "APPLIANCE__RETENTION__INTERVAL_SECONDS": "0.2",
            "APPLIANCE__RETENTION__RECALL_FROM": "centre",
        }
        # One that the store changes on its way in: it must never go.
        keep = store.keep

        def kept(found: Found) -> None:
            if found.sop_uid == changed:
                _spoil(found.path)
            keep(found)

        store.keep = kept  # type: ignore[method-assign]
        with Appliance(tmp_path / "home", environ) as box:
            box.command("init")
            box.start("web")
            box.start("sync")
            box.wait_ready("sync")
            box.wait_answering("web")
            with WebClient(box.url) as web:
                web.keep(*slices)
                wait_until(lambda: _held(box) == {changed}, 30)
                text = web.get(f"/studies/{study}", "text/html").text
                assert "2 of 3 at the centre" in text
                answer = web.get(f"/dicom-web/studies/{study}", 'multipart/related; type="application/dicom"')
                assert answer.status_code == 200
                wait_until(lambda: len(_held(box)) == 3, 30)
            published = json.loads((box.home / "run" / "sync.json").read_text())
            assert set(published["retention"]) == {"held_bytes", "evictable_bytes", "short_bytes"}
            box.stop("sync")


def _spoil(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def _held(box: Appliance) -> set[str]:
    """The SOP instance UIDs whose files are on the box."""
    return {path.stem for path in (box.home / "archive").rglob("*.dcm")}
