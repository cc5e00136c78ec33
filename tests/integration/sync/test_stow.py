"""Objects to real DICOMweb stores: Orthanc, and another box of ours; lines that fail between them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.archive.group2 import read_labels
from appliance.dicomweb.client import DicomwebClient
from appliance.dicomweb.endpoint import Endpoint
from appliance.sync.proving import Finding
from appliance.sync.sinks.contract import RowFault
from appliance.sync.sinks.stow import StowSink
from appliance.sync.sinks.stow_options import StowOptions
from tests.archives import SINK
from tests.builders.instances import ct
from tests.builders.objects import Objects, instance
from tests.integration.sync.stow_boxes import attempts, digests, stow_box
from tests.partners.appliance import Appliance
from tests.partners.dicom_store import SILENT, DicomStore, Reply
from tests.partners.fault_proxy import FaultProxy
from tests.partners.faults import LOSE_ANSWER, PASS, REFUSE, RESET_BODY, RESET_REQUEST, STALL, Fault, trickle
from tests.partners.orthanc import Orthanc
from tests.waiting import wait_until

SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("centre"), overrides={"OverwriteInstances": True}) as store:
        yield store


def held(store: Orthanc, uids: set[str]) -> dict[str, str]:
    """Digest of the data set Orthanc keeps, by UID, as far as it has them."""
    found = {}
    for uid in uids & set(store.instances()):
        path = store.file(uid)
        found[uid] = hashlib.sha256(_behind_group_2(path)).hexdigest()
    return found


def _behind_group_2(file: bytes) -> bytes:
    length = int.from_bytes(file[140:144], "little")
    return file[144 + length :]


def sink_for(store: Orthanc) -> StowSink:
    return StowSink(StowOptions(url=store.dicomweb, read_timeout=20))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_orthanc_keeps_every_byte_and_gives_it_back(
    orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: str
) -> None:
    monkeypatch.setattr("tests.builders.objects.SYNTAX", syntax)
    rows = Objects(tmp_path).rows(3)
    with closing(sink_for(orthanc)) as sink:
        assert set(sink.deliver(rows).values()) == {None}
        assert {sink.read_back(row) for row in rows} == {Finding.IDENTICAL}
    assert held(orthanc, {str(row.sop_uid) for row in rows}) == {
        row.sop_uid: row.blob.digest for row in rows if row.blob
    }


def test_orthanc_takes_again_what_it_has_and_a_newer_content(orthanc: Orthanc, tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    old = objects.row()
    uids = {"StudyInstanceUID": old.study_uid, "SeriesInstanceUID": old.series_uid, "SOPInstanceUID": old.sop_uid}
    new = objects.row(ct(**uids, PatientName="New"))
    with closing(sink_for(orthanc)) as sink:
        for row in (old, old, new):
            assert set(sink.deliver([row]).values()) == {None}
        assert sink.read_back(new) is Finding.IDENTICAL
        assert sink.read_back(old) is Finding.DIFFERENT
        orthanc.delete(str(new.sop_uid))
        assert sink.read_back(new) is Finding.ABSENT


def test_orthanc_finds_the_one_that_is_no_dicom(orthanc: Orthanc, tmp_path: Path) -> None:
    rows = Objects(tmp_path / "a").rows(4)
    junk = b"no DICOM at all " * 20
    path = tmp_path / "junk"
    path.write_bytes(junk)
    digest = hashlib.sha256(junk).hexdigest()
    assert rows[2].blob is not None
    blob = replace(rows[2].blob, path=path, offset=0, length=len(junk), file_size=len(junk), digest=digest)
    rows[2] = replace(rows[2], blob=blob)
    with closing(sink_for(orthanc)) as sink:
        answers = dict(sink.deliver(rows))
    assert isinstance(answers.pop(rows[2].event_id), RowFault)
    assert set(answers.values()) == {None}


def test_a_box_forwards_all_it_holds_and_proves_it(orthanc: Orthanc, tmp_path: Path) -> None:
    with stow_box(tmp_path / "home", orthanc.dicomweb, verify="readback") as box:
        box.store(12)
        box.start()
        box.wait_drained()
        wait_until(lambda: box.archive.proofs.count("outbound") == 0, 20)
        sent = digests(box)
        assert len(sent) == 12
        assert held(orthanc, set(sent)) == sent
        assert attempts(box) == {1}
        # What the centre loses is found missing by the next round, and sent again.
        assert box.appliance.stop("sync") == 0


@pytest.mark.parametrize("fault", [RESET_REQUEST, RESET_BODY, LOSE_ANSWER], ids=["before", "body", "answer"])
def test_a_line_that_breaks_now_and_then_loses_and_doubles_nothing(
    orthanc: Orthanc, tmp_path: Path, fault: Fault
) -> None:
    with FaultProxy(orthanc.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}/dicom-web"
        with stow_box(tmp_path / "home", url) as box:
            box.store(12)
            proxy.set(fault, times=3)
            box.start()
            box.wait_drained()
            assert proxy.fired == 3
            assert held(orthanc, set(digests(box))) == digests(box)
            assert attempts(box) == {1}
            assert box.stats().dead == 0


@pytest.mark.parametrize("fault", [STALL, REFUSE, RESET_REQUEST], ids=["stall", "refuse", "reset"])
def test_a_line_that_is_down_costs_no_attempt_and_ends_by_itself(
    orthanc: Orthanc, tmp_path: Path, fault: Fault
) -> None:
    with FaultProxy(orthanc.port) as proxy:
        proxy.set(fault)
        url = f"http://127.0.0.1:{proxy.port}/dicom-web"
        with stow_box(tmp_path / "home", url, connect_timeout=0.3, read_timeout=0.3) as box:
            box.store(7)
            box.start()
            wait_until(lambda: box.stats().breaker == "open", 30)
            assert box.stats().reason
            assert attempts(box) == {0}
            proxy.set(PASS)
            box.wait_drained()
            assert held(orthanc, set(digests(box))) == digests(box)
            assert attempts(box) == {1}


def test_a_trickling_line_delivers(orthanc: Orthanc, tmp_path: Path) -> None:
    with FaultProxy(orthanc.port) as proxy:
        proxy.set(trickle(8000))
        with stow_box(tmp_path / "home", f"http://127.0.0.1:{proxy.port}/dicom-web") as box:
            box.store(6)
            box.start()
            box.wait_drained()
            assert held(orthanc, set(digests(box))) == digests(box)
            assert attempts(box) == {1}


def test_a_store_dead_at_start_killed_in_the_middle_and_frozen_gets_everything(tmp_path: Path) -> None:
    store = Orthanc(tmp_path / "centre")
    try:
        with stow_box(tmp_path / "home", store.dicomweb, read_timeout=1) as box:
            box.store(60)
            box.start()
            wait_until(lambda: box.stats().breaker == "open", 30)
            store.start().wait_ready()
            for disturb, end in ((store.kill, store.restart), (store.pause, store.resume)):
                goal = box.stats().delivered + 5
                wait_until(lambda goal=goal: box.stats().delivered >= goal, 30)  # type: ignore[misc]
                _disturbed(box.store, disturb, end)
            box.wait_drained(seconds=60)
            assert box.stats().dead == 0
            assert held(store, set(digests(box))) == digests(box)
            assert attempts(box) == {1}
    finally:
        store.program.end()


def _disturbed(more: Callable[[int], None], disturb: Callable[[], object], end: Callable[[], object]) -> None:
    disturb()
    more(10)
    end()


def test_a_login_that_fails_pauses_with_a_sentence_and_goes_on_once_it_is_mended(tmp_path: Path) -> None:
    token = tmp_path / "token"
    with DicomStore(tmp_path / "centre") as store:
        store.required = {"Authorization": "Bearer right"}
        with stow_box(tmp_path / "home", store.url, token_file=str(token)) as box:
            box.store(3)
            box.start()
            wait_until(lambda: "token file cannot be read" in box.stats().reason, 30)
            token.write_text("wrong-secret")
            wait_until(lambda: "(401)" in box.stats().reason and box.stats().breaker == "paused", 30)
            assert "renew token_file" in box.stats().reason
            assert attempts(box) == {0}
            token.write_text("right\n")
            box.wait_drained()
            assert store.digests() == digests(box)
            assert attempts(box) == {1}
            assert "wrong-secret" not in box.appliance.output()


def test_a_stop_does_not_wait_for_a_store_that_says_nothing(tmp_path: Path) -> None:
    with DicomStore(tmp_path / "centre") as store:
        store.rule = lambda _: Reply(SILENT)
        with stow_box(tmp_path / "home", store.url, read_timeout=60) as box:
            box.store(3)
            box.start()
            wait_until(lambda: store.posts, 30)
            began = time.monotonic()
            assert box.appliance.stop("sync") == 0
            assert time.monotonic() - began < 20
            assert attempts(box) == {0}
            store.rule = lambda _: None
            box.start()
            box.wait_drained()
            assert attempts(box) == {1}
            assert store.digests() == digests(box)


def test_a_sink_that_leads_to_another_store_waits_for_a_word(tmp_path: Path) -> None:
    with DicomStore(tmp_path / "first") as first, DicomStore(tmp_path / "second") as second:
        with stow_box(tmp_path / "home", first.url) as box:
            box.store(2)
            box.start()
            box.wait_drained()
            assert box.appliance.stop("sync") == 0
        with stow_box(tmp_path / "home", second.url) as box:
            box.store(2)
            box.start()
            wait_until(lambda: "resume" in box.stats().held, 30)
            assert first.url in box.stats().held
            assert not second.posts
            assert box.archive.outbox.replay(sink=SINK) == 2
            box.archive.outbox.release_hold(SINK)
            box.wait_drained()
            assert second.digests() == digests(box)
            assert len(first.objects) == 2


def test_another_box_of_ours_takes_it_and_gives_it_back(tmp_path: Path) -> None:
    with Appliance(tmp_path / "receiver") as receiver:
        receiver.command("init")
        receiver.start("web")
        receiver.wait_answering("web")
        with stow_box(tmp_path / "home", receiver.dicomweb, verify="readback") as box:
            box.store(12)
            box.start()
            box.wait_drained()
            wait_until(lambda: box.archive.proofs.count("outbound") == 0, 20)
            assert attempts(box) == {1}
            assert not box.published()["sinks"]["outbound"]["waited"]
        with closing(DicomwebClient(Endpoint(receiver.dicomweb))) as client:
            row = Objects(tmp_path / "more").row()
            assert set(client.store([instance(row)]).report.stored) == {row.sop_uid}
            assert row.blob is not None
            found = client.read(row.study_uid, row.series_uid, str(row.sop_uid), most=row.blob.length)
            assert found is not None
            assert found.digest == row.blob.digest


def test_no_patient_data_in_what_an_operator_sees(tmp_path: Path, orthanc: Orthanc) -> None:
    planted = {"PatientName": "Planted^Patient", "PatientID": "PLANTED-7", "AccessionNumber": "PLANTED-8"}
    with FaultProxy(orthanc.port) as proxy:
        proxy.set(RESET_BODY, times=2)
        with stow_box(tmp_path / "home", f"http://127.0.0.1:{proxy.port}/dicom-web") as box:
            box.store(3, **planted)
            box.start()
            box.wait_drained()
            seen = box.appliance.output() + json.dumps([dict(row) for row in box.archive.outbox.list(limit=100)])
            seen += json.dumps(box.published())
    assert "planted" not in seen.lower()


def test_group_2_of_ours_is_readable_to_others(tmp_path: Path) -> None:
    row = Objects(tmp_path).row()
    assert row.blob is not None
    with row.blob.path.open("rb") as file:
        labels, _ = read_labels(file)
    assert labels.sop_uid == row.sop_uid
