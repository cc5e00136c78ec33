"""What the ledger says of a study: what was read back from where, and what contradicts itself."""

from __future__ import annotations

from io import BytesIO

from appliance.archive.outbox import Outcome, Verdict
from appliance.archive.room import Archive
from tests.archives import SINK, sender
from tests.builders.instances import ct, part10, series


def test_proven_is_what_was_last_seen_to_be_the_same(archive: Archive) -> None:
    slices = list(series(2))
    for one in slices:
        archive.ingest.receive_file(BytesIO(part10(one)), sender())
    study = str(slices[0].StudyInstanceUID)
    lease = archive.outbox.claim(SINK, rows=100, bytes_=1 << 30, lease_seconds=60)
    assert lease is not None
    archive.outbox.settle(lease, [Outcome(delivery.event_id, Verdict.DELIVERED) for delivery in lease.deliveries])
    first, second = (delivery.event_id for delivery in lease.deliveries if delivery.kind == "object")
    assert archive.custody.proven(study) == {}
    archive.proofs.prove(SINK, first, "")
    archive.proofs.prove(SINK, second, "")
    assert archive.custody.proven(study) == {SINK: 2}
    archive.proofs.refute(SINK, first, "another digest", resend=False)
    assert archive.custody.proven(study) == {SINK: 1}
    archive.proofs.prove(SINK, first, "")
    assert archive.custody.proven(study) == {SINK: 2}


def test_a_second_content_is_contested_until_somebody_chooses(archive: Archive) -> None:
    dataset = ct(PatientComments="first")
    archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
    study = str(dataset.StudyInstanceUID)
    assert archive.custody.contested(study) == 0
    dataset.PatientComments = "second"
    archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
    assert archive.custody.contested(study) == 1
    archive.conflicts.accept(1, "further", by="somebody")
    assert archive.custody.contested(study) == 0
