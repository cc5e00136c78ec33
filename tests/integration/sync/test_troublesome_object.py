"""One object over which a store always fails, among others that it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archives import SINK
from tests.integration.sync.boxes import Box
from tests.integration.sync.stow_boxes import digests, stow_box
from tests.partners.dicom_store import DicomStore, Reply
from tests.waiting import wait_until


def answers_500(store: DicomStore, bad: str) -> None:
    """Fail over the whole request that the object is in, as a store does that trips over it."""
    store.rule = lambda uids: Reply(500) if bad in uids else None


def out_of_resources(store: DicomStore, bad: str) -> None:
    """Name the object alone."""
    store.failing[bad] = 0xA700


def unsupported(store: DicomStore, bad: str) -> None:
    """Name the object alone."""
    store.failing[bad] = 0x0122


def mend(store: DicomStore) -> None:
    """Take everything again."""
    store.rule = lambda _: None
    store.failing.clear()


def row_of(box: Box, uid: str) -> tuple[str, int, str]:
    (row,) = [row for row in box.archive.outbox.list(SINK, limit=10_000) if row["sop_uid"] == uid]
    return row["state"], row["attempts"], row["reason"]


@pytest.mark.parametrize("trouble", [answers_500, out_of_resources, unsupported])
def test_the_others_pass_it_and_it_becomes_a_dead_letter(
    tmp_path: Path, trouble: Callable[[DicomStore, str], None]
) -> None:
    with DicomStore(tmp_path / "centre") as store, stow_box(tmp_path / "home", store.url) as box:
        for _ in range(8):
            box.store(3)
        bad = box.archive.outbox.list(SINK)[2]["sop_uid"]  # the last of its series: nothing waits behind it
        trouble(store, bad)
        box.start()
        wait_until(lambda: len(store.objects) == 23, 60)

        def given_up() -> bool:
            box.store(1)
            return row_of(box, bad)[0] == "dead"

        wait_until(given_up, 60, every=0.1)
        state, attempts, reason = row_of(box, bad)
        assert (state, attempts) == ("dead", 10)
        assert reason.endswith("for this row alone: others get through")
        box.wait_drained()
        wait_until(lambda: box.stats().breaker == "closed")
        others = {row["attempts"] for row in box.archive.outbox.list(SINK, limit=10_000) if row["sop_uid"] != bad}
        assert others == {1}
        mend(store)
        box.archive.outbox.retry(sink=SINK)
        box.wait_drained()
        assert store.digests() == digests(box)
