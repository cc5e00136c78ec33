"""`custody`, `delete`, `undelete`: what a technician sees of where the images are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from appliance.archive.confirmations import Proven
from appliance.archive.outbox import Outcome, Verdict
from appliance.archive.room import Archive
from appliance.cli.custody_export import COLUMNS, CONFIRMED
from appliance.model.receipts import BYTES_CONFIRMED, METADATA_CONFIRMED, Receipt
from appliance.model.records import ConflictPolicy
from tests.archives import sender
from tests.builders.instances import ct, part10
from tests.integration.cli.conftest import Home

STUDY, SERIES = "1.2.826.7", "1.2.826.7.1"
FIRST, SECOND = f"{SERIES}.1", f"{SERIES}.2"
PATIENT = "Müller^Jörg"
PROOF = '{"v":1}.signature'
CENTRE, RECORDS = "centre", "records"


@pytest.fixture
def box(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with two instances, a sink that signs receipts, and one for records."""
    stow = {"kind": "stow", "url": "https://centre.invalid/dicom-web", "verify": "receipts",
            "receipt_key_file": str(tmp_path / "key.pem")}  # fmt: skip
    kafka = {"kind": "kafka", "bootstrap_servers": ["kafka.invalid:9092"], "access_records": False}
    monkeypatch.setenv("APPLIANCE__SYNC__SINKS", json.dumps({CENTRE: stow, RECORDS: kafka}))
    home.run("init")
    with opened(home) as archive:
        for uid in (FIRST, SECOND):
            values = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "PatientName": PATIENT}
            archive.ingest.receive_file(BytesIO(part10(ct(SOPInstanceUID=uid, **values))), sender())
    return home


@contextmanager
def opened(home: Home) -> Iterator[Archive]:
    with home.installation.archive() as archive:
        yield archive


def deliver(archive: Archive, verdict: Verdict = Verdict.DELIVERED) -> None:
    for sink in (CENTRE, RECORDS):
        while lease := archive.outbox.claim(sink, rows=100, bytes_=1 << 30, lease_seconds=60):
            archive.outbox.settle(lease, [Outcome(one.event_id, verdict) for one in lease.deliveries])


def receipts(archive: Archive) -> list[Proven]:
    """Everything the centre could sign."""
    found: list[Receipt] = []
    for one in archive.reading.instances(STUDY):
        for level in (BYTES_CONFIRMED, METADATA_CONFIRMED):
            values = (one.study_uid, one.series_uid, one.sop_uid, one.digest, one.transfer_syntax_uid, 1, 5)
            found.append(Receipt(len(found) + 1, "site-1", "default", level, *values))
    for series in archive.reading.series(STUDY):
        values = (series.study_uid, series.series_uid, "", "", "", series.revision, 5)
        found.append(Receipt(len(found) + 1, "site-1", "default", METADATA_CONFIRMED, *values))
    return [Proven(receipt, PROOF) for receipt in found]


def confirm(archive: Archive, taken: list[Proven]) -> None:
    before = archive.confirmations.cursor(CENTRE).after
    archive.confirmations.apply(CENTRE, taken, before=before, after=before + 1)


def first_missing(box: Home) -> str:
    lines = box.run("custody", "show", STUDY, code=1).stdout.splitlines()
    return next(line for line in lines if line.startswith("First missing"))


def test_the_first_missing_link_is_named_until_all_is_confirmed(box: Home) -> None:
    assert "not yet at centre (2)" in first_missing(box)
    with opened(box) as archive:
        deliver(archive)
        signed = receipts(archive)
    assert "the bytes are not confirmed by centre (2)" in first_missing(box)
    with opened(box) as archive:
        confirm(archive, [one for one in signed if one.receipt.level == BYTES_CONFIRMED])
    assert "the image record is not confirmed by the centre (2)" in first_missing(box)
    with opened(box) as archive:
        confirm(archive, [one for one in signed if not one.receipt.of_series])
    assert "the newest state of a series is not confirmed" in first_missing(box)
    with opened(box) as archive:
        confirm(archive, signed)
    for uid in (STUDY, SERIES, FIRST):
        assert "All confirmed." in box.run("custody", "show", uid).stdout


def test_a_series_that_has_grown_since_is_not_confirmed_any_more(box: Home) -> None:
    with opened(box) as archive:
        deliver(archive)
        confirm(archive, receipts(archive))
        values = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES}
        archive.ingest.receive_file(BytesIO(part10(ct(**values))), sender())
        deliver(archive)
        confirm(archive, [one for one in receipts(archive) if not one.receipt.of_series])
    assert "the newest state of a series is not confirmed" in first_missing(box)


@pytest.mark.parametrize(("verdict", "words"), [(Verdict.DEAD, "a dead letter for centre")])
def test_dead_letters_and_contests_come_first(box: Home, verdict: Verdict, words: str) -> None:
    with opened(box) as archive:
        deliver(archive, verdict)
    assert words in first_missing(box)
    with opened(box) as archive:
        values = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "SOPInstanceUID": FIRST}
        other = part10(ct(**values, SeriesDescription="other"))
        archive.ingest.receive_file(BytesIO(other), sender(policy=ConflictPolicy.ASK))
    assert "contents wait for a choice (1)" in first_missing(box)


def test_bytes_that_are_lost_here_are_missing(box: Home) -> None:
    with opened(box) as archive:
        deliver(archive)
        confirm(archive, receipts(archive))
        with archive.database.write() as cx:
            cx.execute("UPDATE version SET blob_kind = 'evicted', blob_path = NULL WHERE sop_uid = ?", (FIRST,))
    assert "the bytes are not on this box (1)" in first_missing(box)


def test_a_required_sink_without_proof_keeps_the_chain_open(box: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    stow = {"kind": "stow", "url": "https://centre.invalid/dicom-web"}
    monkeypatch.setenv("APPLIANCE__SYNC__SINKS", json.dumps({CENTRE: stow}))
    box.run("init")
    with opened(box) as archive:
        deliver(archive)
    assert "centre is never asked for proof" in first_missing(box)


def test_refused_receipts_are_shown_with_the_missing_link_and_in_the_status(box: Home) -> None:
    with opened(box) as archive:
        deliver(archive)
        archive.confirmations.trouble(CENTRE, "refused: a signature does not hold")
    assert "refused: a signature does not hold" in box.run("custody", "show", STUDY, code=1).stdout
    assert "centre: receipts: refused: a signature does not hold" in box.run("status", code=1).stdout
    facts = box.json("status", code=1)["custody"]["sinks"][CENTRE]
    assert (facts["receipts"], facts["unproven"]) == ("refused", 2)


def test_json_has_every_link_the_ledger_and_the_signed_receipt(box: Home) -> None:
    with opened(box) as archive:
        deliver(archive)
        confirm(archive, receipts(archive))
    found = box.json("custody", "show", FIRST)
    (one,) = found["instances"]
    assert found["confirmed"] is True
    assert {proof["proof"] for proof in one["confirmations"]} == {PROOF}
    assert {(step["sink"], step["kind"], step["state"]) for step in one["steps"]} == {
        (CENTRE, "object", "delivered"), (RECORDS, "image", "delivered"),
    }  # fmt: skip
    facts = [line["fact"] for line in one["ledger"]]
    assert [fact for fact in facts if fact != "marked"] == [
        "received", "delivered", "bytes_confirmed", "metadata_confirmed",
    ]  # fmt: skip
    assert box.json("custody", "show", SERIES)["instances"][0]["ledger"]


def test_no_patient_is_shown(box: Home) -> None:
    printed = [
        box.run("custody", "show", STUDY, "--instances", code=1).stdout,
        box.run("custody", "show", STUDY, "--json", code=1).stdout,
        box.run("custody", "export", "--since", "2020-01-01").stdout,
        box.run("custody", "export", "--since", "2020-01-01", "--format", "json").stdout,
    ]
    assert not any("Jörg" in text or "M\\u00fcller" in text or "Müller" in text for text in printed)


def test_the_export_has_stable_columns_and_a_line_per_content(box: Home) -> None:
    rows = list(csv.DictReader(io.StringIO(box.run("custody", "export", "--since", "2020-01-01").stdout)))
    assert list(rows[0]) == [*COLUMNS, CONFIRMED]
    assert [row["sop_uid"] for row in rows] == [FIRST, SECOND]
    assert {row["undelivered"] for row in rows} == {f"{CENTRE}/object=pending {RECORDS}/image=pending"}
    assert {row[CONFIRMED] for row in rows} == {"false"}
    documented = (Path(__file__).parents[3] / "docs" / "custody.md").read_text(encoding="utf-8")
    assert [name for name in (*COLUMNS, CONFIRMED) if f"`{name}`" not in documented] == []


def test_the_export_chooses_by_the_last_line_of_the_ledger(box: Home) -> None:
    with opened(box) as archive, archive.database.write() as cx:
        cx.execute("UPDATE custody SET at = 1700000000000000")
        cx.execute("UPDATE custody SET at = 1800000000000000 WHERE sop_uid = ?", (SECOND,))

    def exported(*options: str) -> list[str]:
        lines = box.run("custody", "export", *options, "--format", "json").stdout.splitlines()
        return [json.loads(line)["sop_uid"] for line in lines]

    assert exported("--since", "2023-01-01", "--until", "2028-01-01") == [FIRST, SECOND]
    assert exported("--since", "2023-01-01", "--until", "2024-01-01") == [FIRST]
    assert exported("--since", "2023-11-14T23:13:20+01:00", "--until", "2023-11-14T22:13:21") == [FIRST]
    assert exported("--since", "2023-11-14T22:13:21", "--until", "2028-01-01") == [SECOND]
    assert exported("--since", "2023-01-01", "--until", "2023-11-14T22:13:20") == []
    box.run("custody", "export", "--since", "yesterday", code=2)


def test_a_title_that_looks_like_a_formula_is_harmless(box: Home) -> None:
    with opened(box) as archive:
        archive.ingest.receive_file(BytesIO(part10(ct())), sender("=CMD()"))
    rows = list(csv.DictReader(io.StringIO(box.run("custody", "export", "--since", "2020-01-01").stdout)))
    assert rows[-1]["source"].startswith("'=CMD()")


def test_what_this_box_never_had_is_not_found(box: Home) -> None:
    box.run("custody", "show", "1.2.3", code=66)
    box.run("delete", "1.2.3", "--reason", "x", code=66)
    box.run("undelete", "1.2.3", code=66)


def test_deleting_is_refused_then_forced_then_lifted(box: Home) -> None:
    assert "has not left the box" in box.run("delete", FIRST, "--reason", "wrong", code=75).stderr
    box.run("delete", FIRST, code=2)
    box.run("delete", FIRST, "--reason", " ", code=2)
    assert "1 instance deleted" in box.run("delete", FIRST, "--reason", f"is {PATIENT}", "--force").stdout
    ledger = box.json("custody", "show", FIRST)["instances"][0]["ledger"]
    assert ledger[-1]["detail"] == f"is {PATIENT}"
    assert box.json("status", code=1)["custody"]["deleted"] == 1
    assert "1 tombstone lifted" in box.run("undelete", FIRST).stdout
    assert "1 instance deleted" in box.run("delete", "--study", STUDY, "--reason", "x", "--force").stdout
    assert "2 tombstones lifted" in box.run("undelete", "--series", SERIES).stdout


def test_the_reason_of_a_deletion_is_in_no_log(box: Home, caplog: pytest.LogCaptureFixture) -> None:
    result = box.run("delete", FIRST, "--reason", f"is {PATIENT}", "--force")
    assert PATIENT not in result.output + result.stderr + caplog.text
