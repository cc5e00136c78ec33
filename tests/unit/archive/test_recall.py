"""Recall: the bytes come back as they went, whoever else acts meanwhile, and nothing is left over."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from appliance.archive.outbox import Outcome, Verdict
from appliance.archive.recall import NotTheSame, Wanted
from appliance.archive.room import Archive
from appliance.errors import DiskFull
from appliance.model.attributes import Level
from appliance.model.records import Stored
from appliance.model.routes import Route
from tests.builders.instances import ct, part10
from tests.clocks import FakeClock
from tests.unit.archive.evicting import CENTRE, box, is_held, settled, store

LATE = Route("late", kinds=("object",), proves=True)


@pytest.fixture
def dataset() -> Dataset:
    return ct()


@pytest.fixture
def archive(tmp_path: Path, clock: FakeClock) -> Archive:
    """A box that evicts what is proven; the test closes it."""
    return box(tmp_path / "home", clock)


def evicted(archive: Archive, clock: FakeClock, dataset: Dataset) -> tuple[Stored, Wanted]:
    stored = settled(archive, clock, dataset)
    assert archive.retention.run().objects == 1
    wanted = archive.recall.wanted(stored.version_id)
    assert wanted is not None
    return stored, wanted


def recall(archive: Archive, wanted: Wanted, dataset: Dataset, heed: Callable[[int], None] = lambda _: None) -> bool:
    return archive.recall.store(wanted, BytesIO(part10(dataset)), "centre", heed)


def files(archive: Archive) -> list[Path]:
    return [path for path in archive.settings.root.rglob("*") if path.is_file()]


def test_a_sink_that_came_after_the_eviction_gets_the_object_once_it_is_back(
    archive: Archive, clock: FakeClock, dataset: Dataset
) -> None:
    stored, wanted = evicted(archive, clock, dataset)
    archive.outbox.register((CENTRE, LATE))
    lease = archive.outbox.claim("late", rows=9, bytes_=1 << 30, lease_seconds=60)
    assert lease is not None
    assert lease.deliveries[0].blob is None
    archive.outbox.settle(lease, [Outcome(lease.deliveries[0].event_id, Verdict.DEAD, "no longer held")])
    assert recall(archive, wanted, dataset)
    lease = archive.outbox.claim("late", rows=9, bytes_=1 << 30, lease_seconds=60)
    assert lease is not None
    assert lease.deliveries[0].blob is not None
    clock.advance(2 * 86_400)
    assert archive.retention.run().objects == 0, "it stays until that sink has proven it"
    assert is_held(archive, stored)
    archive.close()


def test_the_same_bytes_under_another_transfer_syntax_are_not_the_same(
    archive: Archive, clock: FakeClock, dataset: Dataset
) -> None:
    _, wanted = evicted(archive, clock, dataset)
    file = part10(dataset).replace(wanted.transfer_syntax_uid.encode(), b"1.2.840.10008.1.2.2", 1)
    with pytest.raises(NotTheSame, match="transfer syntax"):
        archive.recall.store(wanted, BytesIO(file), "centre", lambda _: None)
    assert files(archive) == []
    archive.close()


def test_what_was_deleted_meanwhile_does_not_come_back(archive: Archive, clock: FakeClock, dataset: Dataset) -> None:
    stored, wanted = evicted(archive, clock, dataset)

    def deleting(_size: int) -> None:
        if archive.reading.instances(stored.study_uid):
            archive.deletions.delete(Level.INSTANCE, stored.sop_uid, reason="wrong", by="anna")

    assert not recall(archive, wanted, dataset, deleting)
    assert files(archive) == []
    archive.close()


def test_what_was_sent_again_meanwhile_stays_as_it_is(archive: Archive, clock: FakeClock, dataset: Dataset) -> None:
    stored, wanted = evicted(archive, clock, dataset)
    store(archive, dataset)
    assert not recall(archive, wanted, dataset)
    assert is_held(archive, stored)
    assert len(files(archive)) == 1
    archive.close()


def test_a_full_disk_at_the_commit_leaves_nothing_behind(
    archive: Archive, clock: FakeClock, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, wanted = evicted(archive, clock, dataset)

    def full(*_: Any) -> bool:
        raise DiskFull("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(archive.recall, "_commit", full)
        with pytest.raises(DiskFull):
            recall(archive, wanted, dataset)
    assert files(archive) == []
    assert recall(archive, wanted, dataset)
    assert is_held(archive, stored)
    archive.close()
