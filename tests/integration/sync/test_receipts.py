"""Receipts over a real line: the centre signs what it has, the box believes exactly that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.archive.chains import Chain
from appliance.archive.reading import StoredInstance
from tests.archives import SINK
from tests.builders.instances import ct
from tests.integration.sync.boxes import Box
from tests.integration.sync.stow_boxes import stow_box
from tests.partners.dicom_store import DicomStore, Reply
from tests.partners.receipts import Receipts, signed
from tests.waiting import wait_until

STUDY = str(ct().StudyInstanceUID)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DicomStore]:
    with DicomStore(tmp_path / "store") as found:
        found.receipts = Receipts()
        yield found


def receipts_of(store: DicomStore) -> Receipts:
    assert store.receipts is not None
    return store.receipts


def box_for(store: DicomStore, tmp_path: Path, **options: Any) -> Box:
    key = receipts_of(store).write_key(tmp_path / "receiver.pem")
    values = {"verify": "receipts", "receipt_key_file": str(key), "receipts_seconds": 0.2, **options}
    return stow_box(tmp_path / "home", store.url, **values)


def instances(box: Box) -> list[StoredInstance]:
    return box.archive.reading.instances(STUDY)


def chains(box: Box) -> tuple[Chain, ...]:
    return box.archive.chains.of(STUDY).chains


def confirmed(box: Box, level: str = "bytes") -> int:
    return sum(chain.confirmed(level) is not None for chain in chains(box))


def test_what_the_centre_signs_is_confirmed_with_its_proof_kept(store: DicomStore, tmp_path: Path) -> None:
    with box_for(store, tmp_path) as box:
        box.store(3, StudyInstanceUID=STUDY)
        box.start()
        box.wait_drained()
        assert confirmed(box) == 0
        assert box.archive.confirmations.counts()[SINK].unproven == 3
        receipts_of(store).confirm(instances(box))
        receipts_of(store).confirm(instances(box)[:1], level="metadata_confirmed", revision=5)
        wait_until(lambda: (confirmed(box), confirmed(box, "metadata")) == (3, 1), 10)
        proof = chains(box)[0].confirmed("bytes")
        assert proof is not None
        first = receipts_of(store).entries[0]
        assert (proof.kind, proof.proof) == ("receipt", f"{first['receipt']}.{first['signature']}")
        assert box.archive.confirmations.counts()[SINK].unproven == 0
        assert box.archive.custody.proven(STUDY) == {SINK: 3}
        assert box.archive.confirmations.cursor(SINK).after == 4
        assert box.appliance.stop("sync") == 0


def test_what_a_restored_receiver_knows_no_more_is_unproven_again(store: DicomStore, tmp_path: Path) -> None:
    with box_for(store, tmp_path, receipts_seconds=1) as box:
        box.store(2, StudyInstanceUID=STUDY)
        box.start()
        box.wait_drained()
        receipts_of(store).confirm(instances(box))
        wait_until(lambda: confirmed(box) == 2, 10)
        del receipts_of(store).entries[1:]
        wait_until(lambda: "gone back from receipt 2 to 1" in box.archive.confirmations.cursor(SINK).trouble, 10)
        wait_until(lambda: confirmed(box) == 1, 10)
        assert box.archive.confirmations.cursor(SINK).after == 1
        assert box.archive.confirmations.counts()[SINK].unproven == 1
        assert box.appliance.stop("sync") == 0


def test_a_receipt_that_is_here_before_the_delivery_is_settled_counts(store: DicomStore, tmp_path: Path) -> None:
    with box_for(store, tmp_path) as box:
        box.store(2, StudyInstanceUID=STUDY)
        receipts_of(store).confirm(instances(box))

        def answer_late(_: list[str]) -> Reply | None:
            wait_until(lambda: confirmed(box) == 2, 10)
            return None

        store.rule = answer_late
        box.start()
        box.wait_drained()
        assert box.archive.confirmations.counts()[SINK].unproven == 0


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"site": "clinic-9"}, "another site or tenant"),
        ({"tenant": "other"}, "another site or tenant"),
        ({"id": 1}, "out of order"),
        ({"level": "lost"}, "level"),
    ],
)
def test_a_page_with_one_foreign_receipt_is_refused_whole(
    store: DicomStore, tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    with box_for(store, tmp_path) as box:
        box.store(1, StudyInstanceUID=STUDY)
        book = receipts_of(store)
        book.confirm(instances(box))
        book.add(**changes)
        box.start()
        wait_until(lambda: what in box.archive.confirmations.cursor(SINK).trouble, 10)
        cursor = box.archive.confirmations.cursor(SINK)
        assert (cursor.after, cursor.trouble.startswith("refused: "), confirmed(box)) == (0, True, 0)


def test_forged_signatures_are_refused_and_true_ones_taken_afterwards(store: DicomStore, tmp_path: Path) -> None:
    with box_for(store, tmp_path, receipts_seconds=0.05) as box:
        box.store(2, StudyInstanceUID=STUDY)
        book = receipts_of(store)
        book.confirm(instances(box))
        true = book.entries[1]
        book.entries[1] = signed(Ed25519PrivateKey.generate(), true["receipt"])
        box.start()
        wait_until(lambda: "a signature does not hold" in box.archive.confirmations.cursor(SINK).trouble, 10)
        wait_until(lambda: len(book.asked) > 2, 10)
        assert confirmed(box) == 0
        book.entries[1] = true
        wait_until(lambda: confirmed(box) == 2, 20)
        assert box.archive.confirmations.cursor(SINK).trouble == ""


def test_a_key_is_exchanged_without_a_restart(store: DicomStore, tmp_path: Path) -> None:
    with box_for(store, tmp_path, receipts_seconds=0.05) as box:
        box.store(2, StudyInstanceUID=STUDY)
        book, old = receipts_of(store), receipts_of(store).key
        book.confirm(instances(box)[:1])
        box.start()
        wait_until(lambda: confirmed(box) == 1, 10)
        book.key = Ed25519PrivateKey.generate()
        book.write_key(tmp_path / "receiver.pem", old)
        book.confirm(instances(box)[1:])
        wait_until(lambda: confirmed(box) == 2, 10)


def test_an_outage_of_the_receipts_stops_no_delivery_and_ends_by_itself(store: DicomStore, tmp_path: Path) -> None:
    book = receipts_of(store)
    book.status = 503
    with box_for(store, tmp_path) as box:
        box.store(2, StudyInstanceUID=STUDY)
        book.confirm(instances(box))
        box.start()
        wait_until(lambda: box.archive.confirmations.cursor(SINK).trouble != "", 10)
        box.wait_drained()
        book.status = 200
        wait_until(lambda: confirmed(box) == 2, 10)
        assert box.archive.confirmations.cursor(SINK).trouble == ""


def test_pages_follow_one_another_without_a_rest(store: DicomStore, tmp_path: Path) -> None:
    book = receipts_of(store)
    for _ in range(1200):
        book.add()
    with box_for(store, tmp_path, receipts_seconds=60) as box:
        box.start()
        wait_until(lambda: box.archive.confirmations.cursor(SINK).after == 1200, 10)
        assert book.asked[:3] == [(0, 500), (500, 500), (1000, 500)]


def test_a_delivery_asks_for_receipts_before_the_interval_is_over(store: DicomStore, tmp_path: Path) -> None:
    book = receipts_of(store)
    with box_for(store, tmp_path, receipts_seconds=60) as box:
        box.start()
        wait_until(lambda: len(book.asked) == 1, 10)
        box.store(1, StudyInstanceUID=STUDY)
        book.confirm(instances(box))
        wait_until(lambda: confirmed(box) == 1, 10)


def test_a_held_sink_is_not_asked(store: DicomStore, tmp_path: Path) -> None:
    """It may lead to another place now: what that has signed is nothing to this one's name."""
    with box_for(store, tmp_path) as box:
        box.store(1, StudyInstanceUID=STUDY)
        receipts_of(store).confirm(instances(box))
        box.archive.outbox.hold(SINK, "moved")
        box.start()
        wait_until(lambda: bool(box.published()), 10)
        wait_until(lambda: box.published()["sinks"][SINK]["held"] == "moved", 10)
        assert receipts_of(store).asked == []
        box.archive.outbox.release_hold(SINK)
        wait_until(lambda: confirmed(box) == 1, 10)
