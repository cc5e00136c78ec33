"""From a real box to the receiver: what a modality stored is at the centre, confirmed, and told of."""

from __future__ import annotations

import json
from pathlib import Path

from pydicom import Dataset

from appliance.archive.custody import Custody
from appliance.archive.database import Database
from tests.builders.instances import ct, part10
from tests.integration.central.receiver import Site
from tests.partners.appliance import Appliance
from tests.waiting import wait_until


def test_a_box_sends_and_the_centre_confirms_and_tells(site: Site, tmp_path: Path) -> None:
    pair = site.authority.issue("clinic-3")
    site.centre.admit("clinic-3", "west")
    sinks = {
        "APPLIANCE__SITE__ID": "clinic-3",
        "APPLIANCE__SITE__TENANT": "west",
        "APPLIANCE__SYNC__SINKS": json.dumps({
            "centre": {
                "kind": "stow",
                "url": f"{site.nginx.url}/dicom-web",
                "tls_ca": str(site.nginx.trusted),
                "tls_certificate": str(pair.certificate),
                "tls_key": str(pair.key),
            }
        }),
    }  # fmt: skip
    datasets = [ct() for _ in range(3)]
    for number, dataset in enumerate(datasets):
        (tmp_path / f"{number}.dcm").write_bytes(part10(dataset))
    sent = {str(dataset.SOPInstanceUID) for dataset in datasets}
    clinic = site.sender(pair)
    with Appliance(tmp_path / "box", sinks) as box:
        box.command("init")
        box.command("import", *(str(path) for path in tmp_path.glob("*.dcm")))
        box.start("sync")
        wait_until(lambda: box.status()["sinks"]["centre"]["delivered"] == 3, 40)
        box.stop("sync")
        held = {row["sop_uid"]: row for row in _custody(box, datasets)}
    receipts = clinic.receipts(site.centre.receipt_key)
    assert {one.sop_uid for one in receipts} == sent
    assert {one.tenant for one in receipts} == {"west"}
    assert {one.sop_uid: one.digest for one in receipts} == {uid: held[uid]["digest"] for uid in sent}
    told = {row["sop_uid"] for row in site.published("object") if row["tenant_id"] == "west"}
    assert told == sent and site.published("state") == site.published("image") == []
    wait_until(lambda: [row for row in site.published("access") if row["user"] == "clinic-3"], 10)
    lines = [row for row in site.published("access") if row["user"] == "clinic-3"]
    assert {row["tenant_id"] for row in lines} == {"west"} and {row["method"] for row in lines} == {"POST"}
    assert not [row for row in lines if "cert" in row["headers"].lower() or "authorization" in row["headers"].lower()]


def _custody(box: Appliance, datasets: list[Dataset]) -> list[dict[str, str]]:
    database = Database(box.home / "index.db")
    try:
        ledger = Custody(database, "west")
        return [dict(ledger.of(str(dataset.SOPInstanceUID))[0]) for dataset in datasets]
    finally:
        database.close()
