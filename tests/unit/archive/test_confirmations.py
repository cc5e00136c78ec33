"""Confirmations: exactly what was proven of exactly which bytes, once, by whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from appliance.archive.confirmations import BYTES, METADATA, Applied, Cursor, Proven
from appliance.archive.outbox import Outcome, Verdict
from appliance.archive.room import Archive
from appliance.model.receipts import BYTES_CONFIRMED, METADATA_CONFIRMED, Receipt
from appliance.model.records import ConflictPolicy, Stored
from appliance.model.routes import Route
from tests.archives import SINK, new_archive, sender
from tests.builders.instances import ct, part10
from tests.clocks import FakeClock

PROVING = Route(SINK, proof=True, places=("stow https://a",))


@pytest.fixture
def archive(tmp_path: Path, clock: FakeClock) -> Iterator[Archive]:
    opened = new_archive(tmp_path / "home", clock, sinks=(PROVING, Route("second", required=False)))
    yield opened
    opened.close()


def store(archive: Archive, policy: ConflictPolicy = ConflictPolicy.ASK, **changes: Any) -> Stored:
    return archive.ingest.receive_file(BytesIO(part10(ct(**changes))), sender(policy=policy))


def deliver(archive: Archive, sink: str = SINK) -> list[int]:
    """Deliver everything; return the numbers of the objects."""
    objects = []
    while lease := archive.outbox.claim(sink, rows=100, bytes_=1 << 30, lease_seconds=60):
        archive.outbox.settle(lease, [Outcome(one.event_id, Verdict.DELIVERED) for one in lease.deliveries])
        objects += [one.event_id for one in lease.deliveries if one.kind == "object"]
    return objects


def receipt(of: Stored, number: int = 1, **changes: Any) -> Proven:
    made = Receipt(
        number, "site-1", "default", BYTES_CONFIRMED, of.study_uid, of.series_uid, of.sop_uid, of.digest,
        of.transfer_syntax_uid, 0, 1_767_323_045_000_006,
    )  # fmt: skip
    return Proven(replace(made, **changes), f"text {number}.signature")


def apply(archive: Archive, *receipts: Proven, sink: str = SINK) -> Applied | None:
    before = archive.confirmations.cursor(sink).after
    return archive.confirmations.apply(sink, receipts, before=before, after=receipts[-1].receipt.id)


def confirmed(archive: Archive, level: str = BYTES) -> list[tuple[str, str, str]]:
    with archive.database.read() as cx:
        rows = cx.execute("SELECT sink, kind, proof FROM confirmation WHERE level = ? ORDER BY sink", (level,))
        return [tuple(row) for row in rows.fetchall()]


def facts(archive: Archive, uid: str) -> list[str]:
    return [row["fact"] for row in archive.custody.of(uid)]


def test_a_receipt_confirms_the_bytes_and_moves_the_cursor(archive: Archive) -> None:
    stored = store(archive)
    deliver(archive)
    assert apply(archive, receipt(stored, 4)) == Applied(1, 0)
    assert confirmed(archive) == [(SINK, "receipt", "text 4.signature")]
    assert archive.confirmations.cursor(SINK).after == 4
    assert facts(archive, stored.sop_uid)[-1] == "bytes_confirmed"
    assert archive.confirmations.counts()[SINK].unproven == 0


def test_what_a_restored_receiver_does_not_confirm_again_is_no_proof_any_more(archive: Archive) -> None:
    early, late = store(archive), store(archive)
    deliver(archive)
    apply(archive, receipt(early, 1), receipt(late, 9))
    assert not archive.confirmations.start_over(SINK, "gone back", before=8), "the cursor has moved"
    assert len(confirmed(archive)) == 2
    assert archive.confirmations.start_over(SINK, "gone back", before=9)
    assert confirmed(archive) == []
    assert (archive.confirmations.cursor(SINK).after, archive.confirmations.cursor(SINK).trouble) == (0, "gone back")
    assert archive.confirmations.counts()[SINK].unproven == 2
    apply(archive, receipt(early, 1))
    assert archive.confirmations.counts()[SINK].unproven == 1
    assert [proof for _, _, proof in confirmed(archive)] == ["text 1.signature"]
    assert archive.confirmations.cursor(SINK) == Cursor(1, archive.clock.now(), "")


def test_a_repeat_gets_the_newest_proof_and_no_second_line(archive: Archive) -> None:
    stored = store(archive)
    apply(archive, receipt(stored, 1))
    apply(archive, receipt(stored, 2))
    assert confirmed(archive) == [(SINK, "receipt", "text 2.signature")]
    assert facts(archive, stored.sop_uid).count("bytes_confirmed") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": "0" * 64}, {"digest": ""}, {"transfer_syntax_uid": "1.2.840.10008.1.2"}, {"sop_uid": "1.2"},
        {"series_uid": "1.2"}, {"study_uid": "1.2"},
    ],
)  # fmt: skip
def test_a_receipt_of_anything_else_confirms_nothing_but_is_passed_by(
    archive: Archive, changes: dict[str, Any]
) -> None:
    stored = store(archive)
    assert apply(archive, receipt(stored, 1, **changes)) == Applied(0, 1)
    assert (confirmed(archive), archive.confirmations.cursor(SINK).after) == ([], 1)


def test_an_image_receipt_confirms_the_metadata_alone(archive: Archive) -> None:
    stored = store(archive)
    deliver(archive)
    apply(archive, receipt(stored, 1, level=METADATA_CONFIRMED, revision=5))
    assert (confirmed(archive), confirmed(archive, METADATA)) == ([], [(SINK, "receipt", "text 1.signature")])
    assert archive.confirmations.counts()[SINK].unproven == 1
    assert facts(archive, stored.sop_uid)[-1] == "metadata_confirmed"


def test_a_series_is_confirmed_up_to_the_highest_revision(archive: Archive) -> None:
    stored = store(archive)
    series = {"level": METADATA_CONFIRMED, "sop_uid": "", "digest": "", "transfer_syntax_uid": ""}
    for number, revision in enumerate((5, 9, 7), 1):
        apply(archive, receipt(stored, number, revision=revision, **series))
    assert [one.confirmed for one in archive.chains.of(stored.study_uid).series] == [9]
    assert apply(archive, receipt(stored, 4, revision=9, **{**series, "series_uid": "1.2"})) == Applied(0, 1)
    assert apply(archive, receipt(stored, 5, revision=0, **series)) == Applied(0, 1)


def test_a_page_fetched_before_the_operator_spoke_is_not_taken(archive: Archive) -> None:
    stored = store(archive)
    apply(archive, receipt(stored, 4))
    archive.outbox.replay(sink=SINK)
    late = archive.confirmations.apply(SINK, [receipt(stored, 5)], before=4, after=5)
    assert (late, confirmed(archive), archive.confirmations.cursor(SINK).after) == (None, [], 0)


def test_a_replay_of_a_part_voids_nothing(archive: Archive) -> None:
    stored = store(archive)
    apply(archive, receipt(stored, 4))
    archive.outbox.replay(sink=SINK, study_uid=stored.study_uid)
    archive.outbox.replay([1], sink=SINK)
    archive.outbox.replay(sink=SINK, since=5)
    archive.outbox.replay(sink="second")
    assert len(confirmed(archive)) == 1


def test_a_sink_that_leads_elsewhere_before_its_first_delivery_starts_anew(archive: Archive) -> None:
    stored = store(archive)
    apply(archive, receipt(stored, 4))
    archive.outbox.register([replace(PROVING, places=("stow https://b",))])
    assert (confirmed(archive), archive.confirmations.cursor(SINK).after) == ([], 0)


def test_a_sink_that_leads_elsewhere_keeps_its_proof_until_the_operator_says_so(archive: Archive) -> None:
    stored = store(archive)
    deliver(archive)
    apply(archive, receipt(stored, 4))
    archive.outbox.register([replace(PROVING, places=("stow https://b",))])
    assert archive.outbox.held(SINK)
    assert len(confirmed(archive)) == 1
    archive.outbox.release_hold(SINK)  # the same store under another name
    assert len(confirmed(archive)) == 1


def test_reading_back_confirms_and_what_it_refutes_is_confirmed_no_more(archive: Archive) -> None:
    stored = store(archive)
    (number,) = deliver(archive)
    archive.proofs.prove(SINK, number, "read back, sha256 x")
    assert confirmed(archive) == [(SINK, "readback", "read back, sha256 x")]
    apply(archive, receipt(stored, 1))
    archive.proofs.prove(SINK, number, "again")
    assert confirmed(archive) == [(SINK, "receipt", "text 1.signature")]
    archive.proofs.refute(SINK, number, "absent", resend=True)
    assert confirmed(archive) == []
    assert archive.custody.proven(stored.study_uid) == {}


def test_reading_back_again_renews_the_moment(archive: Archive, clock: FakeClock) -> None:
    stored = store(archive)
    (number,) = deliver(archive)
    for _ in range(2):
        clock.advance(60)
        archive.proofs.prove(SINK, number, "read back")
    (chain,) = archive.chains.of(stored.sop_uid).chains
    proof = chain.confirmed(BYTES)
    assert proof is not None
    assert proof.at == clock.now()


def test_of_superseded_content_no_proof_is_wanted_any_more(archive: Archive) -> None:
    uid = "1.2.3.4.5"
    store(archive, SOPInstanceUID=uid)
    deliver(archive)
    assert archive.confirmations.counts()[SINK].unproven == 1
    store(archive, ConflictPolicy.NEWEST, SOPInstanceUID=uid, SeriesDescription="again")
    assert archive.confirmations.counts()[SINK].unproven == 0


def test_trouble_leaves_the_cursor_where_it_is_and_success_ends_it(archive: Archive) -> None:
    stored = store(archive)
    apply(archive, receipt(stored, 4))
    archive.confirmations.trouble(SINK, "refused: a signature does not hold")
    cursor = archive.confirmations.cursor(SINK)
    assert (cursor.after, cursor.word) == (4, "refused")
    apply(archive, receipt(stored, 5))
    assert archive.confirmations.cursors()[SINK].word == "taken"
    assert Cursor(trouble="cannot be reached").word == "not fetched"


def test_every_sink_counts_by_itself(archive: Archive) -> None:
    first, second = store(archive), store(archive)
    deliver(archive)
    apply(archive, receipt(first, 1), receipt(second, 2))
    apply(archive, receipt(first, 1, level=METADATA_CONFIRMED), sink="second")
    counts = archive.confirmations.counts()
    assert (counts[SINK].bytes, counts[SINK].metadata, counts["second"].bytes, counts["second"].metadata) == (
        2,
        0,
        0,
        1,
    )
