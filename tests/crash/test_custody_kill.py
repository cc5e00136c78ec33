"""Killed while receipts are taken over, or while a study is deleted: nothing half, nothing back, nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.archive import fsck
from appliance.failpoints import NAMES, VARIABLE
from tests.archives import SINK
from tests.builders.instances import ct
from tests.integration.sync.boxes import QUICK
from tests.integration.sync.stow_boxes import stow_box
from tests.partners.dicom_store import DicomStore
from tests.partners.receipts import Receipts
from tests.waiting import wait_until

SIGKILL = -9
STUDY = str(ct().StudyInstanceUID)
RECEIPTS = [name for name in NAMES if name.startswith("receipts.")]
DELETION = [name for name in NAMES if name.startswith("deletion.")]


@pytest.mark.parametrize("place", RECEIPTS)
def test_killed_while_receipts_are_taken_over_each_confirms_once(tmp_path: Path, place: str) -> None:
    with DicomStore(tmp_path / "store") as store:
        store.receipts = Receipts()
        key = store.receipts.write_key(tmp_path / "key.pem")
        options = {"verify": "receipts", "receipt_key_file": str(key), "receipts_seconds": 0.1}
        with stow_box(tmp_path / "home", store.url, **options) as box:
            box.store(3, StudyInstanceUID=STUDY)
            store.receipts.confirm(box.archive.reading.instances(STUDY))
            box.start({VARIABLE: f"{place}=kill"})
            assert box.appliance.wait_ended("sync") == SIGKILL
            after = box.archive.confirmations.cursor(SINK).after
            confirmed = box.archive.confirmations.counts()[SINK].bytes
            assert (after, confirmed) == ((3, 3) if place.endswith("after_commit") else (0, 0)), (
                "together or not at all"
            )
            box.start()
            box.appliance.wait_ready("sync")
            box.wait_drained()
            wait_until(lambda: box.archive.confirmations.counts()[SINK].bytes == 3, 10)
            wait_until(lambda: box.archive.confirmations.counts()[SINK].unproven == 0, 10)
            for one in box.archive.reading.instances(STUDY):
                lines = [row["fact"] for row in box.archive.custody.of(one.sop_uid)]
                assert lines.count("bytes_confirmed") == 1
            assert box.appliance.stop("sync") == 0


@pytest.mark.parametrize("place", DELETION)
def test_killed_while_a_study_is_deleted_nothing_comes_back(tmp_path: Path, place: str) -> None:
    with stow_box(tmp_path / "home", "http://127.0.0.1:9/dicom-web") as box:
        box.store(4, StudyInstanceUID=STUDY)
        verb = [sys.executable, "-m", "appliance", "--home", str(box.home)]
        delete = [*verb, "delete", "--study", STUDY, "--reason", "x", "--force"]
        environ = {**os.environ, **QUICK}
        killed = {**environ, VARIABLE: f"{place}=kill"}
        assert subprocess.run(delete, env=killed, check=False, timeout=60).returncode == SIGKILL
        gone = place.endswith("after_commit")
        assert box.archive.numbers.counts().instances == (0 if gone else 4)
        files = list(box.archive.settings.root.rglob("*.dcm"))
        assert len(files) == 4, "the rows go first, then the files: never a row without its file"
        found = fsck.check(box.archive, repair=True, deep=False).findings
        assert {one.kind for one in found} <= {"orphan"}
        again = subprocess.run(delete, env=environ, check=False, timeout=60, capture_output=True)
        assert again.returncode == (66 if gone else 0)
        assert box.archive.numbers.counts().instances == 0
