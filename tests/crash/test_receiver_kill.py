"""The receiver dies between storing, receipt and answer: the box, which has no answer, sends again and gets both."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.builders.instances import ct, part10
from tests.integration.central.receiver import Sender
from tests.partners.centre import Centre

TOKEN = "crash"


@pytest.fixture
def centre() -> Iterator[Centre]:
    """A receiver that is not started yet, with one site."""
    with tempfile.TemporaryDirectory(prefix="rcv-") as folder, Centre(Path(folder)) as found:
        found.admit("clinic-7", "north", token_sha256=(hashlib.sha256(TOKEN.encode()).hexdigest(),))
        yield found


@pytest.mark.parametrize(
    "place", ["ingest.before_commit", "ingest.after_commit@1", "receiver.before_receipt", "receiver.after_receipt"]
)
def test_after_a_kill_the_retry_gets_answer_and_receipt(centre: Centre, place: str) -> None:
    sender, dataset = Sender(centre.url, token=TOKEN), ct()
    file = part10(dataset)
    name, _, hit = place.partition("@")
    centre.start(environ={"APPLIANCE_FAILPOINTS": f"{name}=kill{f'@{hit}' if hit else ''}"})
    centre.wait_ready()
    with pytest.raises(requests.ConnectionError):
        sender.store(file)
    assert centre.wait_ended() == -9
    centre.start()
    centre.wait_ready()
    before = sender.receipts(centre.receipt_key)
    answer = sender.store(file)
    assert answer.status_code == 200
    assert answer.json()["00081199"]["Value"][0]["00081155"]["Value"] == [str(dataset.SOPInstanceUID)]
    (receipt,) = sender.receipts(centre.receipt_key)
    assert receipt.sop_uid == str(dataset.SOPInstanceUID)
    assert all(receipt.id > one.id for one in before)
    assert len(list((centre.home / "archive").rglob("*.dcm"))) == 1


def test_a_disk_that_fails_ends_the_process_and_confirms_nothing(centre: Centre) -> None:
    sender, file = Sender(centre.url, token=TOKEN), part10(ct())
    centre.start(environ={"APPLIANCE_FAILPOINTS": "ingest.fsync=EIO"})
    centre.wait_ready()
    assert sender.store(file).status_code == 503
    assert centre.wait_ended() == 70
    centre.start()
    centre.wait_ready()
    assert sender.receipts(centre.receipt_key) == []
    assert sender.store(file).status_code == 200
