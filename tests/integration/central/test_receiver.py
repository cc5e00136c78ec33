"""The receiver behind a real nginx: what sites store, get confirmed, and read back."""

from __future__ import annotations

import base64
import hashlib
import json
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from appliance.archive.group2 import read_labels
from appliance.dicomweb.media_types import parse_media_type
from appliance.dicomweb.offset_upload import OFFSET_TYPE
from appliance.dicomweb.store_answer import parse as parse_answer
from appliance.model.receipts import BYTES_CONFIRMED, parse_page
from tests.builders.instances import ct, part10
from tests.integration.central.receiver import TOKEN, TYPE, Sender, Site, stow_body
from tests.waiting import wait_until

UPLOADS = "/edge/v1/uploads"


def test_what_is_stored_is_confirmed_with_its_digest_and_read_back(site: Site, clinic: Sender) -> None:
    dataset = ct()
    answer = clinic.store(part10(dataset))
    assert answer.status_code == 200
    media_type = parse_media_type(answer.headers["Content-Type"])
    assert media_type is not None
    uid = str(dataset.SOPInstanceUID)
    digest = parse_answer(media_type, answer.content).stored[uid]
    (receipt,) = [one for one in clinic.receipts(site.centre.receipt_key) if one.sop_uid == uid]
    assert (receipt.site, receipt.tenant, receipt.level, receipt.digest) == (
        "clinic-7",
        "north",
        BYTES_CONFIRMED,
        digest,
    )
    path = f"/dicom-web/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}/instances/{uid}"
    single = clinic.ask("GET", path, Accept="application/dicom; transfer-syntax=*")
    assert single.status_code == 200
    # The data set begins where group 2 ends, whose length is not of interest here.
    assert any(hashlib.sha256(single.content[at:]).hexdigest() == digest for at in range(132, 600))
    related = clinic.ask("GET", path, Accept='multipart/related; type="application/dicom"; transfer-syntax=*')
    assert related.status_code == 200 and single.content in related.content
    assert int(related.headers["Content-Length"]) == len(related.content)


def test_a_repeat_is_confirmed_again_under_a_new_number(site: Site, clinic: Sender) -> None:
    file = part10(ct())
    assert clinic.store(file).status_code == 200
    first = clinic.receipts(site.centre.receipt_key)[-1]
    assert clinic.store(file).status_code == 200
    (again,) = clinic.receipts(site.centre.receipt_key, after=first.id)
    assert (again.sop_uid, again.digest) == (first.sop_uid, first.digest) and again.id > first.id
    assert first.id not in {one.id for one in clinic.receipts(site.centre.receipt_key)}


def test_an_upload_that_ended_before_is_confirmed_again(site: Site, clinic: Sender) -> None:
    """A box that forgot everything announces it anew, sends no byte, and must get its receipt all the same."""
    dataset = ct()
    file, uid = part10(dataset), str(dataset.SOPInstanceUID)
    digest = hashlib.sha256(file[_data_set(file) :]).hexdigest()
    metadata = ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in
                        (("sop_uid", uid), ("digest", digest)))  # fmt: skip
    announced: dict[str, Any] = {"Tus_Resumable": "1.0.0", "Upload_Length": str(len(file)), "Upload_Metadata": metadata}
    place = urlsplit(clinic.ask("POST", UPLOADS, **announced).headers["Location"]).path
    piece: dict[str, Any] = {"Tus_Resumable": "1.0.0", "Upload_Offset": "0", "Content_Type": OFFSET_TYPE}
    assert clinic.ask("PATCH", place, data=file, **piece).status_code == 200
    first = clinic.receipts(site.centre.receipt_key)[-1]
    assert (first.sop_uid, first.digest) == (uid, digest)
    assert clinic.ask("POST", UPLOADS, **announced).headers["Upload-Offset"] == str(len(file))
    (again,) = clinic.receipts(site.centre.receipt_key, after=first.id)
    assert (again.sop_uid, again.digest) == (uid, digest)
    # Of nobody else: not of another site of the same tenant, and not of another tenant.
    for other in (site.sender(site.authority.issue("clinic-8")), site.sender(token=TOKEN)):
        gone = other.ask("HEAD", place, Tus_Resumable="1.0.0")
        assert gone.status_code == 404
        assert other.ask("POST", UPLOADS, **announced).headers["Upload-Offset"] == "0"


def test_a_page_says_how_far_the_receiver_is(site: Site, clinic: Sender) -> None:
    assert clinic.store(part10(ct())).status_code == 200
    last = clinic.receipts(site.centre.receipt_key)[-1]
    for after in (0, last.id, last.id + 1000):
        page = parse_page(clinic.ask("GET", f"/edge/v1/receipts?after={after}&limit=1").content)
        assert page.newest == last.id


def _data_set(file: bytes) -> int:
    labels, rest = read_labels(stream := BytesIO(file))
    assert labels.sop_uid
    return stream.tell() - len(rest)


def test_another_site_of_the_tenant_is_confirmed_what_is_here_already(site: Site, clinic: Sender) -> None:
    file = part10(ct())
    neighbour = site.sender(site.authority.issue("clinic-8"))
    assert clinic.store(file).status_code == 200
    assert neighbour.store(file).status_code == 200
    mine, theirs = (one.receipts(site.centre.receipt_key)[-1] for one in (clinic, neighbour))
    assert mine.digest == theirs.digest
    assert (mine.site, theirs.site) == ("clinic-7", "clinic-8")


def test_pages_follow_each_other_without_gap_or_repeat(site: Site, clinic: Sender) -> None:
    start = max((one.id for one in clinic.receipts(site.centre.receipt_key)), default=0)
    assert clinic.store(*(part10(ct()) for _ in range(5))).status_code == 200
    found, after = [], start
    while page := clinic.receipts(site.centre.receipt_key, after=after, limit=2):
        found += page
        after = page[-1].id
    assert len(found) == 5 and [one.id for one in found] == sorted({one.id for one in found})
    assert clinic.ask("GET", "/edge/v1/receipts?after=x").status_code == 400


def test_two_tenants_with_the_same_uids_stay_apart(site: Site, clinic: Sender) -> None:
    dataset = ct(PatientName="North^One")
    south = site.sender(token=TOKEN)
    mine = part10(dataset)
    dataset.PatientName = "South^Two"
    theirs = part10(dataset)
    assert clinic.store(mine).status_code == south.store(theirs).status_code == 200
    path = (
        f"/dicom-web/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        f"/instances/{dataset.SOPInstanceUID}"
    )
    north_bytes, south_bytes = (who.ask("GET", path, Accept="application/dicom").content for who in (clinic, south))
    assert b"North^One" in north_bytes and b"South^Two" not in north_bytes
    assert b"South^Two" in south_bytes and b"North^One" not in south_bytes
    assert {one.digest for one in clinic.receipts(site.centre.receipt_key)}.isdisjoint(
        one.digest for one in south.receipts(site.centre.receipt_key)
    )
    files = {path.relative_to(site.centre.home / "archive").parts[0] for path in site.centre.home.rglob("*.dcm")}
    assert {"north", "south"} <= files


def test_what_a_box_sends_later_under_a_uid_is_what_it_reads_back(site: Site, clinic: Sender) -> None:
    dataset = ct(PatientName="First^Content")
    path = (
        f"/dicom-web/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        f"/instances/{dataset.SOPInstanceUID}"
    )
    for name in ("First^Content", "Other^Content"):
        dataset.PatientName = name
        assert clinic.store(part10(dataset)).status_code == 200
        assert name.encode() in clinic.ask("GET", path, Accept="application/dicom").content
    same = [one for one in clinic.receipts(site.centre.receipt_key) if one.sop_uid == dataset.SOPInstanceUID]
    assert len({one.digest for one in same}) == 2


def test_a_study_of_another_tenant_is_not_there(site: Site, clinic: Sender) -> None:
    dataset = ct()
    assert clinic.store(part10(dataset)).status_code == 200
    path = (
        f"/dicom-web/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        f"/instances/{dataset.SOPInstanceUID}"
    )
    assert site.sender(token=TOKEN).ask("GET", path).status_code == 404
    assert clinic.ask("GET", path).status_code == 200


def test_every_instance_is_named_in_the_answer(site: Site, clinic: Sender) -> None:
    dataset = ct()
    answer = clinic.store(part10(dataset), b"this is not DICOM")
    assert answer.status_code == 202
    document = json.loads(answer.content)
    assert document["00081199"]["Value"][0]["00081155"]["Value"] == [str(dataset.SOPInstanceUID)]
    assert document["0008119A"]["Value"][0]["00081197"]["Value"] == [0xC000]
    assert clinic.store(b"nothing").status_code == 409
    assert clinic.store().status_code == 400
    whole = clinic.ask("POST", "/dicom-web/studies", data=b"--x", Content_Type="application/json")
    assert whole.status_code == 415


def test_a_message_that_breaks_off_confirms_what_came_before(site: Site, clinic: Sender) -> None:
    dataset = ct()
    body = stow_body(part10(dataset), part10(ct()))[:-400]
    answer = clinic.ask("POST", "/dicom-web/studies", data=body, Content_Type=TYPE)
    assert answer.status_code == 400
    assert str(dataset.SOPInstanceUID) in answer.json()["stored"]
    assert any(one.sop_uid == str(dataset.SOPInstanceUID) for one in clinic.receipts(site.centre.receipt_key))


def test_its_own_outbox_tells_of_what_it_stored_under_the_senders_tenant(site: Site, clinic: Sender) -> None:
    dataset = ct()
    assert clinic.store(part10(dataset)).status_code == 200
    site.centre.start("sync")
    try:
        wait_until(lambda: any(_of(row, dataset.SOPInstanceUID) for row in site.records()), 30)
    finally:
        site.centre.stop("sync")
    log, storage = [row for row in site.records() if _of(row, dataset.SOPInstanceUID)]
    assert log == storage
    assert (log["tenant_id"], log["worker_node_id"], log["source_ae"]) == ("north", "centre-1", "clinic-7")


def _of(row: dict[str, object], uid: object) -> bool:
    return row.get("sop_uid") == str(uid) and "trace_id" in row
