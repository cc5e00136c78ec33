"""A whole centre: old records come again, and everybody who says he is somebody else."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest

from appliance.archive.custody import Fact
from appliance.model.cloud import ACCESS_TOPIC
from tests.archives import sender
from tests.builders.certificates import Authority
from tests.builders.instances import part10, series
from tests.partners.stage.altering import AlteringProxy
from tests.partners.stage.box import CENTRE, Identity, StageBox, asked
from tests.partners.stage.centre import CentreStage
from tests.partners.stage.planting import TENANT
from tests.waiting import wait_until

pytestmark = pytest.mark.paired

_numbers = itertools.count(1)
QUIET = "SELECT count(*) FROM confirmation"
REFUSED = "refused: "
ACCESSES = "doris dicom_access_log"


@pytest.fixture(scope="module")
def stage() -> Iterator[CentreStage]:
    """A centre with one box of tenant north, and one of tenant south."""
    with CentreStage({"clinic-1": "north", "clinic-3": "south"}, rooms=("sync",)) as found:
        yield found


@pytest.fixture
def box(stage: CentreStage) -> Iterator[Callable[..., StageBox]]:
    """A further box: who it says it is, and keys of its STOW sink."""
    made: list[StageBox] = []

    def make(who: Identity, **centre: Any) -> StageBox:
        made.append(stage.make_box(f"{who.site}-{next(_numbers)}", who, **centre))
        made[-1].initialise()
        return made[-1]

    yield make
    for one in made:
        print(one.output())
        one.__exit__(None, None, None)


def store(box: StageBox, count: int = 3) -> str:
    """Store a series in a box, without its door; return the study's UID."""
    with box.opened() as archive:
        stored = [archive.ingest.receive_file(BytesIO(part10(one)), sender()) for one in series(count)]
    return stored[0].study_uid


def trouble(box: StageBox) -> str:
    """What hinders the fetching of receipts."""
    found = box.ask("SELECT trouble FROM receipt_cursor WHERE sink = ?", CENTRE)
    return str(found[0][0]) if found else ""


def assert_custody_unmoved(box: StageBox) -> None:
    """Nothing is confirmed, and no receipt counts as taken."""
    assert box.ask(QUIET)[0][0] == 0
    assert box.cursor() == 0
    facts = {row[0] for row in box.ask("SELECT DISTINCT fact FROM custody")}
    assert not facts & {Fact.BYTES_CONFIRMED, Fact.METADATA_CONFIRMED}
    assert box.missing()


def test_a_day_of_old_records_after_newer_ones_changes_nothing(stage: CentreStage) -> None:
    box, count = stage.boxes["clinic-1"], 12
    slices = list(series(count))
    for at in range(0, count, 4):
        # Nothing is on its way in between, so that older states are in the topic for certain.
        with box.opened() as archive:
            for one in slices[at : at + 4]:
                archive.ingest.receive_file(BytesIO(part10(one)), sender())
        stage.settled()
    stage.tables.rows("UPDATE dicom_json_meta SET json_status = 1 RETURNING 1")
    before = stage.tables.dump()
    stage.loader.stop()
    try:
        # Boxes ask for receipts all the time, and each request is told of: that topic is never at rest.
        assert stage.topics.lag(but=ACCESS_TOPIC) == 0
        assert stage.topics.rewind() > 3 * count < stage.topics.lag(but=ACCESS_TOPIC)
        states = stage.kafka.consume("dicom_state_queue")
        assert len(states) > len(before["postgres dicom_state_meta"]), "there is no older state to come again"
    finally:
        stage.revive("loader")
    wait_until(lambda: stage.topics.lag(but=ACCESS_TOPIC) == 0, 30, every=0.2)
    after = stage.tables.dump()
    # What was told of the requests may still have been on its way; of it, too, nothing is there twice.
    assert set(before.pop(ACCESSES)) <= set(again := after.pop(ACCESSES)) and len(set(again)) == len(again)
    assert after == before
    stage.settled()
    assert box.missing() == {}


def test_a_box_that_says_another_tenant_moves_nothing_there(stage: CentreStage, box: Callable[..., StageBox]) -> None:
    own = stage.boxes["clinic-1"].who
    liar = box(Identity(own.site, "south", own.pair, own.signing))
    study = store(liar)
    liar.start("sync")
    wait_until(lambda: trouble(liar).startswith(REFUSED) and liar.undelivered() == 0, 30, every=0.1)
    wait_until(lambda: stage.topics.lag(but=ACCESS_TOPIC) == 0, 20, every=0.2)
    letters = [one for one in stage.topics.dead_letters() if one.value and study.encode() in one.value]
    assert {one.cause for one in letters} == {TENANT}
    assert {one.topic for one in letters} == {"dicom_state_queue", "dicom_image_queue"}
    assert stage.tables.rows(f"SELECT 1 FROM dicom_state_meta WHERE study_uid = '{study}'") == []
    assert not [row for row in stage.tables.doris("dicom_image_meta") if row["study_uid"] == study]
    # Its objects are those of the site's own tenant: its certificate says who it is, not its configuration.
    found = stage.tables.rows(f"SELECT DISTINCT tenant_id FROM dicom_object_meta WHERE study_uid = '{study}'")
    assert found == [("north",)]
    assert_custody_unmoved(liar)


def test_a_box_with_the_certificate_of_another_site_gets_no_receipt_it_takes(
    stage: CentreStage, box: Callable[..., StageBox]
) -> None:
    own, other = stage.boxes["clinic-1"].who, stage.boxes["clinic-3"].who
    liar = box(Identity(other.site, other.tenant, own.pair, own.signing))
    study = store(liar)
    liar.start("sync")
    wait_until(lambda: trouble(liar).startswith(REFUSED) and liar.undelivered() == 0, 30, every=0.1)
    wait_until(lambda: stage.topics.lag(but=ACCESS_TOPIC) == 0, 20, every=0.2)
    letters = [one for one in stage.topics.dead_letters() if one.value and study.encode() in one.value]
    assert {one.cause for one in letters} == {"signature"}
    assert stage.tables.rows(f"SELECT 1 FROM dicom_state_meta WHERE study_uid = '{study}'") == []
    assert_custody_unmoved(liar)


def test_a_certificate_of_another_authority_and_a_token_nobody_has_are_refused_and_on_record(
    stage: CentreStage, box: Callable[..., StageBox]
) -> None:
    own = stage.boxes["clinic-1"].who
    pair = Authority(stage.folder, "Stranger").issue("clinic-1", file="stranger")
    (stage.folder / "token").write_text("nobody-has-this")
    strange = box(Identity(own.site, own.tenant, pair, own.signing))
    nameless = box(own, url=f"{stage.centre.url}/dicom-web", token_file=str(stage.folder / "token"),
                   tls_ca=None, tls_certificate=None, tls_key=None)  # fmt: skip
    for one in (strange, nameless):
        store(one)
        one.start("sync")
    wait_until(lambda: {"centre: certificate", "centre: token"} <= _reasons(stage), 20, every=0.2)
    for one in (strange, nameless):
        wait_until(lambda one=one: trouble(one), 20, every=0.1)  # type: ignore[misc]
        assert one.ask("SELECT count(*) FROM delivery d JOIN event e ON e.id = d.event_id"
                       " WHERE e.kind = 'object' AND d.state = 'delivered'")[0][0] == 0  # fmt: skip
        assert_custody_unmoved(one)


def test_a_page_of_receipts_that_somebody_altered_confirms_nothing(
    stage: CentreStage, box: Callable[..., StageBox]
) -> None:
    token, who = stage.admit_by_token("clinic-5", "west")
    with AlteringProxy(stage.centre.port) as between:
        between.change = lambda page: page.replace(b"bytes_confirmed", b"metadata_confirmed")
        victim = box(who, url=f"{between.url}/dicom-web", token_file=str(token),
                     tls_ca=None, tls_certificate=None, tls_key=None)  # fmt: skip
        store(victim)
        victim.start("sync")
        wait_until(lambda: victim.undelivered() == 0 and trouble(victim).startswith(REFUSED), 30, every=0.1)
        assert_custody_unmoved(victim)
        between.change = _foreign
        victim.stop("sync")
        victim.start("sync")
        wait_until(lambda: "signature" in trouble(victim), 20, every=0.1)
        assert_custody_unmoved(victim)
        assert victim.status()["custody"]["sinks"][CENTRE]["receipts"] == "refused"
        between.change = lambda page: page
        victim.stop("sync")
        victim.start("sync")
        wait_until(lambda: not victim.missing(), 30, every=0.1)


def _foreign(page: bytes) -> bytes:
    """One receipt of the page says another digest; its signature stays."""
    found = json.loads(page)
    for one in found["receipts"][:1]:
        receipt = json.loads(one["receipt"])
        receipt["digest"] = "ab" * 32
        one["receipt"] = json.dumps(receipt, separators=(",", ":"))
    return json.dumps(found).encode()


def _reasons(stage: CentreStage) -> set[str]:
    return {row[0] for row in asked(stage.centre.home, "SELECT reason FROM rejected_caller")}
