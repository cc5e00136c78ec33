"""Ingest: what is on disk and in the index after each result."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian

from appliance.archive.room import Archive
from appliance.errors import DiskFull, Misidentified, TooLarge, Unacceptable, Unparseable
from appliance.model.records import ConflictPolicy, Origin, Result, Stored
from tests.archives import new_archive, sender
from tests.builders.instances import ct, encode, part10, series
from tests.clocks import FakeClock

SYNTAX = str(ExplicitVRLittleEndian)


def store(
    archive: Archive, dataset: Dataset, *, sop_uid: str = "", data: bytes = b"", origin: Origin | None = None
) -> Stored:
    data = data or encode(dataset)
    arrival = archive.ingest.begin(
        origin or sender(),
        transfer_syntax_uid=SYNTAX,
        sop_class_uid=str(dataset.get("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2")),
        sop_uid=sop_uid or str(dataset.get("SOPInstanceUID", "1.2.3")),
    )
    for start in range(0, len(data), 100):
        arrival.write(data[start : start + 100])
    return arrival.finish()


def events(archive: Archive) -> list[str]:
    with archive.database.read() as cx:
        return [row[0] for row in cx.execute("SELECT kind FROM event ORDER BY id").fetchall()]


def test_a_stored_object_lies_under_its_uids_with_its_bytes_unchanged(archive: Archive) -> None:
    dataset = ct()
    stored = store(archive, dataset)
    assert stored.result is Result.STORED
    (found,) = archive.reading.instances(stored.study_uid)
    expected = archive.settings.root / "default" / stored.study_uid / stored.series_uid / f"{stored.sop_uid}.dcm"
    assert found.path == expected
    content = expected.read_bytes()
    assert content[found.offset :] == encode(dataset)
    assert stored.digest == hashlib.sha256(encode(dataset)).hexdigest()
    assert len(content) == found.file_size
    assert dcmread(expected).PatientName == dataset.PatientName


def test_group_2_is_written_by_us(archive: Archive) -> None:
    dataset = ct()
    stored = archive.ingest.receive_file(BytesIO(part10(dataset)), sender("STOREIT"))
    meta = dcmread(archive.reading.instances(stored.study_uid)[0].path).file_meta
    assert meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert meta.TransferSyntaxUID == SYNTAX
    assert meta.SourceApplicationEntityTitle == "STOREIT"
    assert str(meta.ImplementationVersionName).startswith("EDGE_")


def test_invariant_2_rows_and_events_commit_together(archive: Archive) -> None:
    store(archive, ct())
    assert events(archive) == ["state", "image", "object"]
    assert archive.outbox.stats()["outbound"].pending == 3
    counts = archive.numbers.counts()
    assert (counts.studies, counts.series, counts.instances) == (1, 1, 1)


def test_invariant_6_same_bytes_again_are_a_duplicate_without_an_event(archive: Archive) -> None:
    dataset = ct()
    first, second = store(archive, dataset), store(archive, dataset)
    assert second.result is Result.DUPLICATE
    assert second.version_id == first.version_id
    assert len(events(archive)) == 3
    facts = [line["fact"] for line in archive.custody.of(first.sop_uid)]
    assert facts == ["received", "duplicate"]
    assert [p.name for p in archive.settings.spool.rglob("*.part")] == []


def test_invariant_6_other_bytes_are_kept_as_a_conflict_and_change_nothing_yet(archive: Archive) -> None:
    dataset = ct(PatientID="ONE")
    first = store(archive, dataset)
    dataset.PatientID = "TWO"
    second = store(archive, dataset, origin=sender("CT2"))
    assert second.result is Result.CONFLICT
    (found,) = archive.reading.instances(first.study_uid)
    assert found.digest == first.digest
    (conflict,) = archive.conflicts.list()
    assert (conflict["first_source_ae"], conflict["further_source_ae"]) == ("CT1", "CT2")
    assert len(events(archive)) == 3
    assert len(list((archive.settings.root / "default").rglob("*.dcm"))) == 2


def test_invariant_6_accepting_the_further_version_makes_it_current_and_forwards_it(archive: Archive) -> None:
    dataset = ct(PatientID="ONE")
    store(archive, dataset)
    dataset.PatientID = "TWO"
    second = store(archive, dataset)
    archive.conflicts.accept(1, "further", by="alice")
    (found,) = archive.reading.instances(second.study_uid)
    assert found.digest == second.digest
    assert dcmread(found.path).PatientID == "TWO"
    assert events(archive).count("object") == 2
    assert archive.conflicts.list() == []
    (settled,) = archive.conflicts.list(settled=True)
    assert settled["settled_by"] == "alice"


def test_invariant_6_policy_newest_wins(archive: Archive) -> None:
    dataset = ct(PatientID="ONE")
    store(archive, dataset)
    dataset.PatientID = "TWO"
    second = store(archive, dataset, origin=sender(policy=ConflictPolicy.NEWEST))
    assert archive.reading.instances(second.study_uid)[0].digest == second.digest
    assert archive.conflicts.list() == []
    assert len(archive.conflicts.list(settled=True)) == 1


def test_invariant_6_policy_first_stays(archive: Archive) -> None:
    dataset = ct(PatientID="ONE")
    first = store(archive, dataset)
    dataset.PatientID = "TWO"
    store(archive, dataset, origin=sender(policy=ConflictPolicy.FIRST))
    assert archive.reading.instances(first.study_uid)[0].digest == first.digest
    assert len(archive.conflicts.list(settled=True)) == 1


def test_a_correction_that_moves_an_instance_to_another_study_empties_the_old_one(archive: Archive) -> None:
    dataset = ct()
    first = store(archive, dataset)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.5"
    store(archive, dataset, origin=sender(policy=ConflictPolicy.NEWEST))
    assert archive.reading.instances(first.study_uid) == []
    assert len(archive.reading.instances("1.2.3.4")) == 1
    assert archive.numbers.counts().studies == 1


def test_a_duplicate_whose_file_is_gone_is_stored_again(archive: Archive) -> None:
    dataset = ct()
    first = store(archive, dataset)
    archive.reading.instances(first.study_uid)[0].path.unlink()
    again = store(archive, dataset)
    assert again.result is Result.RESTORED
    assert archive.reading.instances(first.study_uid)[0].path.exists()
    assert len(events(archive)) == 3


def test_invariant_6_disagreeing_uids_are_refused_and_kept(archive: Archive) -> None:
    dataset = ct()
    with pytest.raises(Misidentified):
        store(archive, dataset, sop_uid="1.2.3.4.5.6")
    (row,) = archive.quarantine.list()
    assert row["sop_uid"] == "1.2.3.4.5.6"
    with archive.quarantine.open(row["id"]) as file:
        assert file.read().endswith(encode(dataset))
    assert archive.numbers.counts().instances == 0


@pytest.mark.parametrize("missing", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
def test_invariant_6_an_object_without_a_uid_goes_to_quarantine(archive: Archive, missing: str) -> None:
    with pytest.raises(Unparseable):
        store(archive, ct(**{missing: None}))
    assert archive.numbers.counts().quarantined == 1
    assert list((archive.settings.root / "default").iterdir()) == []


def test_quarantine_keeps_the_row_but_not_the_bytes_past_its_quota(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "home", FakeClock(), quarantine_quota_bytes=10)
    with pytest.raises(Unparseable):
        store(archive, ct(StudyInstanceUID=None))
    (row,) = archive.quarantine.list()
    assert row["path"] is None
    assert archive.quarantine.usage() == 0
    archive.close()


def test_quarantine_export_copies_the_file_once(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(Unparseable):
        store(archive, ct(StudyInstanceUID=None))
    number = archive.quarantine.list()[0]["id"]
    target = tmp_path / "out.dcm"
    assert archive.quarantine.export(number, target) == target.stat().st_size > 0
    with pytest.raises(FileExistsError):
        archive.quarantine.export(number, target)


def test_invariant_7_a_path_as_uid_never_leaves_quarantine(archive: Archive) -> None:
    dataset = ct()
    data = encode(dataset).replace(str(dataset.StudyInstanceUID).encode()[:12], b"../../../../")
    with pytest.raises(Unparseable):
        store(archive, dataset, data=data)
    assert [p for p in archive.settings.home.parent.rglob("*.dcm") if "quarantine" not in p.parts] == []


def test_invariant_9_only_the_reserve_left_refuses_the_object(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "home", FakeClock(), reserve_bytes=1 << 60)
    with pytest.raises(DiskFull):
        store(archive, ct())
    archive.close()


def test_an_object_over_the_limit_is_refused(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "home", FakeClock(), max_object_bytes=300)
    arrival = archive.ingest.begin(sender(), transfer_syntax_uid=SYNTAX, sop_class_uid="1.2", sop_uid="1.2.3")
    with pytest.raises(TooLarge):
        arrival.write(bytes(301))
    arrival.discard()
    assert list(archive.settings.spool.rglob("*.part")) == []
    archive.close()


def test_what_is_no_dicom_file_is_refused_and_not_kept(archive: Archive) -> None:
    with pytest.raises(Unacceptable):
        archive.ingest.receive_file(BytesIO(b"GIF89a" * 100), sender())
    assert archive.numbers.counts().quarantined == 0


def test_a_file_with_a_wrong_group_2_is_relabelled(archive: Archive) -> None:
    dataset = ct()
    data = part10(dataset)
    at = data.index(str(dataset.SOPInstanceUID).encode())
    wrong = data[:at] + b"9" + data[at + 1 :]
    stored = archive.ingest.receive_file(BytesIO(wrong), sender())
    (found,) = archive.reading.instances(stored.study_uid)
    content = found.path.read_bytes()
    assert content[found.offset :] == encode(dataset)
    assert len(content) == found.file_size
    assert dcmread(found.path).file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID


def test_a_file_left_by_a_crash_before_the_commit_is_taken_over(archive: Archive) -> None:
    dataset = ct()
    first = store(archive, dataset)
    with archive.database.write() as cx:
        for table in ("delivery", "event", "instance", "version", "series", "study"):
            cx.execute(f"DELETE FROM {table}")
    again = store(archive, dataset)
    assert again.result is Result.STORED
    (found,) = archive.reading.instances(first.study_uid)
    assert found.path.name == f"{first.sop_uid}.dcm"
    assert len(list(found.path.parent.iterdir())) == 1


def test_a_foreign_file_in_the_way_is_not_overwritten(archive: Archive) -> None:
    dataset = ct()
    way = archive.settings.root / "default" / dataset.StudyInstanceUID / dataset.SeriesInstanceUID
    way.mkdir(parents=True)
    (way / f"{dataset.SOPInstanceUID}.dcm").write_bytes(b"precious")
    stored = store(archive, dataset)
    assert (way / f"{dataset.SOPInstanceUID}.dcm").read_bytes() == b"precious"
    assert archive.reading.instances(stored.study_uid)[0].path.name.startswith(f"{dataset.SOPInstanceUID}~")


def test_a_growing_series_costs_one_pending_state_record(archive: Archive) -> None:
    for dataset in series(5):
        store(archive, dataset)
    assert events(archive).count("state") == 1
    lease = archive.outbox.claim("outbound", rows=1, bytes_=1, lease_seconds=60)
    assert lease is not None and lease.deliveries[0].kind == "state"
    assert '"series_related_instances":5' in lease.deliveries[0].payload


def test_revisions_grow_even_when_the_clock_steps_back(archive: Archive, clock: FakeClock) -> None:
    seen = []
    for dataset in series(3):
        store(archive, dataset)
        clock.step(-3600)
        with archive.database.read() as cx:
            seen.append(cx.execute("SELECT revision FROM box").fetchone()[0])
    assert seen == sorted(set(seen))


def test_stand_ins_are_fixed_at_first_receipt_and_marked(archive: Archive) -> None:
    first, second = series(2, PatientID="", StudyDate="", AcquisitionDate="20240102")
    stored = store(archive, first)
    second.PatientID, second.StudyDate = "LATE", "20240505"
    store(archive, second)
    with archive.database.read() as cx:
        row = cx.execute("SELECT cloud_patient_id, cloud_study_date, patient_id FROM study").fetchone()
    assert row["cloud_patient_id"].startswith("UNKNOWN-")
    assert row["cloud_study_date"] == "20240102"
    assert row["patient_id"] == "LATE"
    details = [line["detail"] for line in archive.custody.of(stored.sop_uid) if line["fact"] == "marked"]
    assert any("patient_id" in detail for detail in details)
