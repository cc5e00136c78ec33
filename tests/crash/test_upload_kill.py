"""A receiver that dies anywhere in an upload: the sender goes on, and the object is there once, with its receipt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from appliance.archive.outbox import Delivery
from appliance.dicomweb.client import DicomwebClient
from appliance.dicomweb.endpoint import Endpoint
from appliance.dicomweb.faults import NoAnswer, NotReached
from appliance.dicomweb.offset_upload import OffsetUpload
from appliance.failpoints import NAMES, VARIABLE
from tests.builders.large import large_row
from tests.builders.objects import instance
from tests.crash.storing import assert_no_row_without_file, opened
from tests.partners.centre import Centre
from tests.partners.upload_receiver import digests

MIB = 1 << 20
SIGKILL, ARCHIVE_FAILED = -9, 70
TOKEN = "a-token-of-clinic-1"
# Before, between and behind what is durable: bytes, object, receipt, answer.
MAIN = ["upload.write", "upload.after_fsync", "upload.after_ingest", "receiver.before_receipt", "upload.after_answer"]
ALL = [name for name in NAMES if name.startswith(("upload.", "receiver."))]
ALL += ["ingest.after_rename", "ingest.after_commit"]
PLACES = [*MAIN, *(pytest.param(name, marks=pytest.mark.full) for name in ALL if name not in MAIN)]
# What is passed with every piece strikes in the middle.
LATER = {"upload.write": 9, "upload.before_fsync": 3, "upload.after_fsync": 3, "upload.after_mark": 3}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with Centre(tmp_path_factory.mktemp("c")) as found:
        found.admit("clinic-1", "mercy", token_sha256=(hashlib.sha256(TOKEN.encode()).hexdigest(),))
        (found.folder / "token").write_text(TOKEN)
        yield found


@pytest.fixture
def row(tmp_path: Path) -> Delivery:
    return large_row(tmp_path, 4 * MIB)


def labels(row: Delivery) -> dict[str, str]:
    uids = {"study_uid": row.study_uid, "series_uid": row.series_uid, "sop_uid": str(row.sop_uid)}
    assert row.blob is not None
    return {**uids, "transfer_syntax_uid": row.blob.transfer_syntax_uid}


def send(centre: Centre, row: Delivery) -> Mapping[str, str]:
    """Send as a box does that remembers nothing; return the digests of what the receiver says is stored."""
    endpoint = Endpoint(centre.dicomweb, token_file=centre.folder / "token", read_timeout=20)
    with closing(DicomwebClient(endpoint)) as client:
        return OffsetUpload(client, MIB).send(instance(row), labels(row)).report.stored


def receipts(centre: Centre) -> set[str]:
    status, body = centre.get("/edge/v1/receipts?limit=1000", Authorization=f"Bearer {TOKEN}")
    assert status == 200
    return {json.loads(one["receipt"])["digest"] for one in json.loads(body)["receipts"]}


def assert_arrived(centre: Centre, row: Delivery) -> None:
    assert row.blob is not None
    assert send(centre, row) == {row.sop_uid: row.blob.digest}
    assert row.blob.digest in receipts(centre)
    centre.kill()
    with opened(centre.home) as archive:
        assert digests(archive)[str(row.sop_uid)] == row.blob.digest
        assert_no_row_without_file(archive)
    assert not list(centre.home.rglob("uploads/*/bytes"))


@pytest.mark.parametrize("place", PLACES)
def test_killed_at_a_step_of_an_upload_the_sender_goes_on(centre: Centre, row: Delivery, place: str) -> None:
    centre.start("central", "receiver", environ={VARIABLE: f"{place}=kill@{LATER.get(place, 1)}"})
    centre.wait_ready()
    with pytest.raises((NoAnswer, NotReached)):
        send(centre, row)
    assert centre.wait_ended() == SIGKILL
    centre.start()
    centre.wait_ready()
    assert_arrived(centre, row)


def test_after_a_disk_that_failed_nothing_is_acknowledged_and_the_receiver_ends(centre: Centre, row: Delivery) -> None:
    centre.start("central", "receiver", environ={VARIABLE: "upload.write=EIO@9"})
    centre.wait_ready()
    assert send(centre, row) == {}
    assert centre.wait_ended() == ARCHIVE_FAILED
    centre.start()
    centre.wait_ready()
    assert_arrived(centre, row)
