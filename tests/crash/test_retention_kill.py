"""Invariants 4 and 13: killed while it evicts or fetches back, the box has no row without its file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from requests import ConnectionError as Broken

from appliance.archive import fsck
from appliance.archive.room import Archive
from appliance.model.retention import RetentionPolicy
from appliance.model.routes import Route
from tests.archives import small_settings
from tests.builders.instances import part10, series
from tests.crash.storing import assert_no_row_without_file
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance
from tests.partners.dicom_store import DicomStore, Found
from tests.unit.archive.evicting import confirm, deliver, store

CENTRE = Route("centre", kinds=("object",), proves=True, places=("stow there",))
SLICES = 3


@contextmanager
def opened(home: Path) -> Iterator[Archive]:
    settings = small_settings(home, sinks=(CENTRE,), retention=RetentionPolicy(max_bytes=1, keep_days=0))
    Archive.initialise(settings)
    archive = Archive.open(settings, "test")
    try:
        yield archive
    finally:
        archive.close()


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[DicomStore]:
    with DicomStore(tmp_path / "store") as made:
        yield made


@pytest.fixture
def box(tmp_path: Path, centre: DicomStore) -> Iterator[Appliance]:
    """A box whose objects the centre has, and has confirmed."""
    home = tmp_path / "home"
    with opened(home) as archive:
        for one in series(SLICES):
            confirm(archive, store(archive, one).version_id)
            path = tmp_path / "sent.part"
            path.write_bytes(part10(one))
            centre.keep(Found(str(one.SOPInstanceUID), path, path.stat().st_size))
        deliver(archive)
    environ = {
        "APPLIANCE__SYNC__SINKS": json.dumps({"centre": {"kind": "stow", "url": centre.url}}),
        "APPLIANCE__RETENTION__RECALL_FROM": "centre",
        "APPLIANCE__RETENTION__MAX_BYTES": "1",
        "APPLIANCE__RETENTION__KEEP_DAYS": "0",
    }
    with Appliance(home, environ) as made:
        yield made


def killed(box: Appliance, failpoint: str) -> None:
    box.start("retention", "run", environ={"APPLIANCE_FAILPOINTS": f"{failpoint}=kill"})
    assert box.wait_ended("retention") == -9


def test_invariant_13_killed_before_the_commit_everything_is_held(box: Appliance) -> None:
    killed(box, "retention.before_commit")
    with opened(box.home) as archive:
        assert archive.numbers.counts().not_held == 0
        assert fsck.check(archive).findings == []


def test_invariant_13_killed_after_the_commit_the_files_are_left_and_taken_back(
    box: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(box, "retention.after_commit")
    monkeypatch.setattr(fsck, "SETTLE_SECONDS", -1)
    with opened(box.home) as archive:
        assert archive.numbers.counts().evicted == SLICES
        assert_no_row_without_file(archive)
        assert fsck.check(archive, repair=True).clean
        assert archive.numbers.counts().evicted == 0
        assert fsck.check(archive).findings == []
        assert archive.retention.run().objects == SLICES
        assert not list(archive.settings.root.rglob("*.dcm"))


@pytest.mark.parametrize(("failpoint", "held"), [("recall.before_commit", 0), ("recall.after_commit", 1)])
def test_invariant_4_killed_while_it_fetches_back_nothing_is_half_there(
    box: Appliance, failpoint: str, held: int
) -> None:
    with opened(box.home) as archive:
        archive.retention.run()
        with archive.database.read() as cx:
            uids = tuple(cx.execute("SELECT study_uid, series_uid, sop_uid FROM version LIMIT 1").fetchone())
    path = "/dicom-web/studies/{}/series/{}/instances/{}/thumbnail".format(*uids)
    box.start("web", environ={"APPLIANCE_FAILPOINTS": f"{failpoint}=kill"})
    box.wait_ready("web")
    with WebClient(box.url) as web, pytest.raises(Broken):
        web.get(path)
    assert box.wait_ended("web") == -9
    with opened(box.home) as archive:
        assert_no_row_without_file(archive)
        assert sum(one.held for one in archive.reading.instances(uids[0])) == held
    box.start("web")
    box.wait_ready("web")
    with WebClient(box.url) as web:
        assert web.get(path).status_code == 200
    with opened(box.home) as archive:
        assert sum(one.held for one in archive.reading.instances(uids[0])) == 1
        assert_no_row_without_file(archive)
