"""Transcode records: one a version, of current objects, renewed by another program only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from appliance.archive import transcodes as module
from appliance.archive.outbox import Delivery
from appliance.archive.reading import StoredInstance
from appliance.archive.room import Archive
from appliance.errors import DiskFull
from appliance.model.records import ConflictPolicy
from appliance.model.routes import Route
from tests.archives import new_archive, sender
from tests.builders.instances import ct, part10

NEWEST = ConflictPolicy.NEWEST


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = new_archive(tmp_path)
    yield archive
    archive.close()


def kept(archive: Archive, dataset: Dataset) -> StoredInstance:
    archive.ingest.receive_file(BytesIO(part10(dataset)), sender(policy=NEWEST))
    (found,) = archive.reading.instances(dataset.StudyInstanceUID, "", dataset.SOPInstanceUID)
    return found


def test_the_first_record_of_a_version_stays(archive: Archive) -> None:
    stored = kept(archive, ct())
    archive.transcodes.note(stored.version_id, 3, "refused", "no decoder")
    archive.transcodes.note(stored.version_id, 4, "crashed", "another")
    (record,) = archive.transcodes.records(stored.study_uid)
    assert (record.frame, record.fault, record.reason, record.sop_uid) == (3, "refused", "no decoder", stored.sop_uid)
    assert record.current
    assert archive.transcodes.find(stored.version_id) == record
    assert archive.transcodes.count() == 1


def test_another_program_tries_anew(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = kept(archive, ct())
    archive.transcodes.note(stored.version_id, 3, "refused", "no decoder")
    monkeypatch.setattr(module, "__version__", "later")
    assert not archive.transcodes.records()[0].current
    archive.transcodes.note(stored.version_id, 1, "timed_out", "slow")
    assert archive.transcodes.records()[0].frame == 1


def test_a_superseded_version_is_not_listed(archive: Archive) -> None:
    dataset = ct()
    first = kept(archive, dataset)
    archive.transcodes.note(first.version_id, 1, "refused", "no decoder")
    dataset.PatientComments = "changed"
    assert kept(archive, dataset).version_id != first.version_id
    assert archive.transcodes.records() == []
    assert archive.transcodes.count() == 0


def test_what_could_be_decoded_after_all_is_forgotten(archive: Archive) -> None:
    stored = kept(archive, ct())
    archive.transcodes.note(stored.version_id, 1, "refused", "no decoder")
    archive.transcodes.forget(stored.version_id)
    archive.transcodes.forget(stored.version_id)
    assert archive.transcodes.find(stored.version_id) is None


def test_candidates_come_in_the_order_of_storing(archive: Archive) -> None:
    stored = [kept(archive, ct()) for _ in range(3)]
    syntax = stored[0].transfer_syntax_uid
    found = archive.transcodes.stored_in([syntax], stored[0].version_id, 10)
    assert [one.version_id for one in found] == [one.version_id for one in stored[1:]]
    assert archive.transcodes.stored_in([syntax], 0, 1)[0].sop_uid == stored[0].sop_uid
    assert archive.transcodes.stored_in(["1.2.3"], 0, 10) == []


def transcode_rows(archive: Archive) -> list[dict[str, Any]]:
    return [json.loads(row.payload) for row in _claimed(archive) if row.kind == "transcode"]


def _claimed(archive: Archive) -> tuple[Delivery, ...]:
    lease = archive.outbox.claim("centre", rows=1000, bytes_=1 << 30, lease_seconds=60)
    return lease.deliveries if lease else ()


def test_the_sinks_that_ask_for_it_are_told_once_in_the_same_transaction(archive: Archive) -> None:
    archive.outbox.register([Route("centre", kinds=("state", "transcode")), Route("outbound")])
    stored = kept(archive, ct(PatientName="Doe^Jane"))
    archive.transcodes.note(stored.version_id, 3, "refused", "no decoder")
    archive.transcodes.note(stored.version_id, 4, "crashed", "another")
    (record,) = transcode_rows(archive)
    assert (record["sop_uid"], record["frame"], record["fault"]) == (stored.sop_uid, 3, "refused")
    assert record["transfer_syntax_uid"] == stored.transfer_syntax_uid
    assert "Jane" not in json.dumps(record)
    assert "transcode" not in {row["kind"] for row in archive.outbox.list(sink="outbound", limit=100)}


def test_of_what_nobody_is_shown_nobody_is_told(archive: Archive) -> None:
    archive.outbox.register([Route("centre", kinds=("transcode",))])
    dataset = ct()
    old = kept(archive, dataset)
    dataset.ImageComments = "another content"
    kept(archive, dataset)
    archive.transcodes.note(old.version_id, 1, "refused", "no decoder")
    assert transcode_rows(archive) == []


def test_a_sink_that_asks_later_is_told_of_what_there_was_to_tell(archive: Archive) -> None:
    archive.outbox.register([Route("first", kinds=("transcode",))])
    stored = kept(archive, ct())
    archive.transcodes.note(stored.version_id, 1, "refused", "no decoder")
    archive.outbox.register([Route("first", kinds=("transcode",)), Route("centre", kinds=("transcode",))])
    assert [record["sop_uid"] for record in transcode_rows(archive)] == [stored.sop_uid]


def test_what_could_not_be_told_is_not_recorded_either(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.outbox.register([Route("centre", kinds=("transcode",))])
    stored = kept(archive, ct())

    def fails(*_: Any) -> None:
        raise DiskFull("no room")

    with monkeypatch.context() as broken:
        broken.setattr("appliance.archive.events.queue", fails)
        with pytest.raises(DiskFull):
            archive.transcodes.note(stored.version_id, 1, "refused", "no decoder")
    assert archive.transcodes.records() == []
    archive.transcodes.note(stored.version_id, 1, "refused", "no decoder")
    assert [record["sop_uid"] for record in transcode_rows(archive)] == [stored.sop_uid]
