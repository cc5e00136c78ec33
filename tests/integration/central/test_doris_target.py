"""The Doris target keeps the promises of a target, whatever the cluster answers."""

from __future__ import annotations

import base64
import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.central.doris import DorisTarget
from appliance.central.tables import TABLES
from appliance.central.targets import Kind, Misdirected, Unavailable
from tests.integration.central.doris_batches import DATABASE, NAME, PASSWORD, batch, ddl, image, options, row, target
from tests.partners.doris.double import Doris
from tests.partners.doris.troubles import ALWAYS, MEMORY, TOO_MANY_VERSIONS
from tests.partners.ports import free_ports

TABLE = "dicom_image_meta"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doris]:
    """A double with our tables."""
    with Doris(tmp_path_factory.mktemp("doris"), ddl()) as double:
        yield double


@pytest.fixture
def doris(cluster: Doris) -> Iterator[Doris]:
    """The double, empty."""
    cluster.wipe()
    cluster.users = {"loader": PASSWORD}
    yield cluster
    cluster.wipe()


@pytest.fixture
def loader(doris: Doris, tmp_path: Path) -> Iterator[DorisTarget]:
    """A target that loads into it."""
    found = target(doris, tmp_path)
    yield found
    found.close()


def sops(doris: Doris) -> list[str]:
    """The images that a query would find."""
    return sorted(found["sop_uid"] for found in doris.rows(TABLE))


def labels(doris: Doris) -> set[str]:
    """Every label that a backend was asked for."""
    return {asked.headers["label"] for asked in doris.asked if "label" in asked.headers}


@pytest.mark.parametrize("kind", list(Kind))
def test_every_field_of_every_kind_arrives(doris: Doris, loader: DorisTarget, kind: Kind) -> None:
    sent = row(kind)
    assert loader.load(batch([sent], kind)) == {}
    (found,) = doris.rows(TABLES[kind])
    moments = {
        name: str(value).replace("T", " ") for name, value in sent.items() if "T" in str(value) and ":" in str(value)
    }
    assert found == {**sent, **moments}


def test_absent_values_arrive_as_null(doris: Doris, loader: DorisTarget) -> None:
    assert loader.load(batch([image(1, window_center=None, content_date=None)])) == {}
    assert doris.rows(TABLE)[0]["window_center"] is None


def test_an_empty_batch_asks_for_nothing(doris: Doris, loader: DorisTarget) -> None:
    assert loader.load(batch([])) == {} and doris.asked == []


def test_the_frontend_gets_neither_body_nor_label(doris: Doris, loader: DorisTarget) -> None:
    loader.load(batch([image(1)]))
    first, second = doris.asked
    assert (first.door, first.headers["content-length"]) == ("fe", "0") and "label" not in first.headers
    assert first.headers["expect"] == second.headers["expect"] == "100-continue"
    assert second.headers["authorization"] == "Basic " + base64.b64encode(f"loader:{PASSWORD}".encode()).decode()
    assert second.headers["strict_mode"] == "true" and "group_commit" not in second.headers


def test_large_batches_go_in_parts_of_at_most_5000_rows_or_8_megabytes(doris: Doris, loader: DorisTarget) -> None:
    rows = [image(number) for number in range(5001)]
    assert loader.load(batch(rows)) == {}
    assert [answer["NumberLoadedRows"] for answer in doris.answers] == [5000, 1]
    doris.wipe()
    wide = [row(Kind.ACCESS, request_id=str(number), headers="h" * 4096) for number in range(1950)]
    assert loader.load(batch(wide, Kind.ACCESS)) == {}
    assert len(doris.answers) == 2 and all(answer["LoadBytes"] <= 8_000_000 for answer in doris.answers)


def test_publish_timeout_is_done_and_never_sent_again(doris: Doris, loader: DorisTarget) -> None:
    doris.order("publish_timeout")
    assert loader.load(batch([image(1), image(2)])) == {}
    assert [answer["Status"] for answer in doris.answers] == ["Publish Timeout"] and sops(doris) == []
    doris.release()
    assert sops(doris) == ["1.2.1", "1.2.2"]


def test_a_repeat_after_publish_timeout_finds_its_label_taken(doris: Doris, loader: DorisTarget) -> None:
    doris.order("publish_timeout")
    for _ in range(2):
        assert loader.load(batch([image(1)])) == {}
    doris.release()
    assert len(labels(doris)) == 1 and sops(doris) == ["1.2.1"]
    assert doris.answers[-1]["ExistingJobStatus"] == "FINISHED"


def test_a_running_label_waits_until_it_is_finished(doris: Doris, loader: DorisTarget) -> None:
    doris.order("running", asks=2)
    assert loader.load(batch([image(1)])) == {}
    assert [answer.get("ExistingJobStatus") for answer in doris.answers] == ["RUNNING", "RUNNING", "FINISHED"]
    assert len(labels(doris)) == 1 and sops(doris) == ["1.2.1"]


def test_a_running_load_that_is_rolled_back_is_sent_again_under_its_label(doris: Doris, loader: DorisTarget) -> None:
    doris.order("stuck", asks=1)
    assert loader.load(batch([image(1)])) == {}
    assert len(labels(doris)) == 1 and sops(doris) == ["1.2.1"]


def test_a_wish_to_stop_ends_the_asking(doris: Doris, tmp_path: Path) -> None:
    wishes: list[float] = []
    loader = DorisTarget(options(doris, tmp_path, label_wait=60.0), stopping=lambda: bool(wishes), wait=wishes.append)
    doris.order("running")
    with pytest.raises(Unavailable):
        loader.load(batch([image(1)]))
    assert len(wishes) == 1 and [answer.get("ExistingJobStatus") for answer in doris.answers] == ["RUNNING"]
    loader.close()


def test_a_label_without_a_status_is_asked_for_again(doris: Doris, loader: DorisTarget) -> None:
    doris.order("empty_status", 2)
    assert loader.load(batch([image(1)])) == {} and sops(doris) == ["1.2.1"]


def test_a_label_that_runs_on_is_unavailable_in_the_end(doris: Doris, tmp_path: Path) -> None:
    loader = target(doris, tmp_path, label_wait=0.3)
    doris.order("running")
    with pytest.raises(Unavailable):
        loader.load(batch([image(1)]))
    doris.release()
    assert loader.load(batch([image(1)])) == {} and sops(doris) == ["1.2.1"]
    assert len(labels(doris)) == 1
    loader.close()


@pytest.mark.parametrize("kind", ["lost_answer", "be_reset_early", "be_reset_body"])
def test_a_backend_that_hangs_up_is_asked_again_under_the_same_label(
    doris: Doris, loader: DorisTarget, kind: str
) -> None:
    doris.order(kind)
    assert loader.load(batch([image(number) for number in range(40)])) == {}
    assert len(labels(doris)) == 1 and len(doris.rows(TABLE)) == 40


def test_an_answer_that_is_no_json_is_asked_again(doris: Doris, loader: DorisTarget) -> None:
    doris.order("babble", body="<html>")
    doris.order("babble", body="[]")
    assert loader.load(batch([image(1)])) == {} and sops(doris) == ["1.2.1"]


def test_a_label_that_is_taken_is_told_before_a_large_body_was_read(doris: Doris, loader: DorisTarget) -> None:
    rows = [row(Kind.ACCESS, request_id=str(number), headers="h" * 4096) for number in range(1700)]
    for _ in range(3):
        assert loader.load(batch(rows, Kind.ACCESS)) == {}
    assert [answer["Status"] for answer in doris.answers] == ["Success", *["Label Already Exists"] * 2]


@pytest.mark.parametrize("message", [MEMORY, TOO_MANY_VERSIONS, "[INTERNAL_ERROR]disk full", "patient " + NAME])
def test_what_is_no_fault_of_rows_is_unavailable_and_nothing_is_kept(
    doris: Doris, loader: DorisTarget, message: str
) -> None:
    doris.order("fail", message=message)
    with pytest.raises(Unavailable) as told:
        loader.load(batch([image(1)]))
    assert NAME not in told.value.message + told.value.hint and sops(doris) == []
    assert loader.load(batch([image(1)])) == {} and len(labels(doris)) == 1


@pytest.mark.parametrize("kind", ["fe_reset", "no_backends"])
def test_a_frontend_in_trouble_is_unavailable(doris: Doris, loader: DorisTarget, kind: str) -> None:
    doris.order(kind)
    with pytest.raises(Unavailable):
        loader.load(batch([image(1)]))
    assert loader.load(batch([image(1)])) == {}


@pytest.mark.parametrize("kind", ["fe_silent", "silent"])
def test_silence_ends(doris: Doris, tmp_path: Path, kind: str) -> None:
    loader = target(doris, tmp_path, load_timeout=0.3, label_wait=0.1)
    doris.order(kind)
    with pytest.raises(Unavailable):
        loader.load(batch([image(1)]))
    assert loader.load(batch([image(1)])) == {} and sops(doris) == ["1.2.1"]
    loader.close()


@pytest.mark.parametrize("kind", ["fe_status", "be_status"])
@pytest.mark.parametrize(
    ("status", "error"),
    [(503, Unavailable), (502, Unavailable), (429, Unavailable), (404, Misdirected), (403, Misdirected)],
)
def test_http_statuses_of_proxies_are_sorted(
    doris: Doris, loader: DorisTarget, kind: str, status: int, error: type[Exception]
) -> None:
    doris.order(kind, status=status)
    with pytest.raises(error):
        loader.load(batch([image(1)]))


def test_nobody_there_is_unavailable(doris: Doris, tmp_path: Path) -> None:
    loader = target(doris, tmp_path, url=f"http://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(Unavailable):
        loader.load(batch([image(1)]))
    loader.close()
    doris.order("redirect", url=f"http://u:p@127.0.0.1:{free_ports(1)[0]}/api/{DATABASE}/{TABLE}/_stream_load")
    loader = target(doris, tmp_path)
    with pytest.raises(Unavailable):
        loader.load(batch([image(1)]))
    loader.close()


@pytest.mark.parametrize("by_status", [True, False])
def test_a_wrong_password_is_misdirected_and_a_new_one_counts_at_once(
    doris: Doris, loader: DorisTarget, tmp_path: Path, by_status: bool
) -> None:
    doris.deny_by_status = by_status
    doris.users = {"loader": "changed"}
    with pytest.raises(Misdirected):
        loader.load(batch([image(1)]))
    (tmp_path / "password").write_text("changed")
    assert loader.load(batch([image(1)])) == {}


def test_a_backend_that_refuses_the_password_is_misdirected(doris: Doris, tmp_path: Path) -> None:
    with Doris(tmp_path / "other", ddl(), users={"loader": "other"}) as other:
        doris.order(
            "redirect",
            url=f"{other.url.replace(str(other.fe_port), str(other.be_port))}/api/{DATABASE}/{TABLE}/_stream_load",
        )
        loader = target(doris, tmp_path)
        with pytest.raises(Misdirected):
            loader.load(batch([image(1)]))
        loader.close()


def test_what_is_not_there_is_misdirected(doris: Doris, tmp_path: Path) -> None:
    other = target(doris, tmp_path, database="none")
    with pytest.raises(Misdirected, match="database"):
        other.load(batch([image(1)]))
    other.close()


def test_a_table_of_other_columns_is_misdirected(tmp_path: Path) -> None:
    text = (
        ddl()
        .replace("`revision` BIGINT NOT NULL", "`generation` BIGINT NOT NULL")
        .replace('"revision"', '"generation"')
    )
    with Doris(tmp_path / "d", text) as double:
        loader = target(double, tmp_path)
        with pytest.raises(Misdirected, match="columns"):
            loader.load(batch([image(1)]))
        loader.close()


def test_a_backend_named_as_frontend_is_noticed_and_no_label_is_spent(doris: Doris, tmp_path: Path) -> None:
    wrong = target(doris, tmp_path, url=f"http://127.0.0.1:{doris.be_port}")
    with pytest.raises(Misdirected, match="no Doris frontend"):
        wrong.load(batch([image(1)]))
    wrong.close()
    right = target(doris, tmp_path)
    assert right.load(batch([image(1)])) == {} and sops(doris) == ["1.2.1"]
    right.close()


BAD: list[dict[str, Any]] = [
    {"window_width": "w" * 65},
    {"patient_id": "ü" * 33},
    {"study_date_origin": "2024-02-30"},
    {"study_date_origin": None},
    {"content_date": "31.01.2024"},
    {"columns": 2**31},
    {"created_time": "10:11:12"},
    {"slice_location": "left"},
    {"transfer_syntax_uid": None},
    {"window_center": "\ud800"},
    {"slice_location": float("nan")},
]


@pytest.mark.parametrize("bad", BAD, ids=[next(iter(bad)) for bad in BAD])
def test_a_bad_row_alone_is_refused_with_its_column_and_without_its_value(
    doris: Doris, loader: DorisTarget, bad: dict[str, Any]
) -> None:
    faults = loader.load(batch([image(0), image(1, **bad), image(2)]))
    assert list(faults) == [1] and sops(doris) == ["1.2.0", "1.2.2"]
    (column, value), reason = next(iter(bad.items())), faults[1].reason
    assert column in reason or "JSON" in reason
    assert value is None or str(value).encode("utf-8", "replace") not in reason.encode()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([{}, {}, {}, {}, *BAD]), min_size=1, max_size=40))
def test_exactly_the_bad_rows_are_isolated(doris: Doris, loader: DorisTarget, kinds: list[dict[str, Any]]) -> None:
    doris.wipe()
    rows = [image(number, **bad) for number, bad in enumerate(kinds)]
    faults = loader.load(batch(rows))
    assert set(faults) == {number for number, bad in enumerate(kinds) if bad}
    assert sops(doris) == sorted(f"1.2.{number}" for number, bad in enumerate(kinds) if not bad)
    assert loader.load(batch(rows)).keys() == faults.keys()
    assert len(doris.rows(TABLE)) == sum(not bad for bad in kinds)


def test_one_bad_row_costs_few_loads(doris: Doris, loader: DorisTarget) -> None:
    rows = [image(number, **({"columns": 2**31} if number == 5 else {})) for number in range(64)]
    assert list(loader.load(batch(rows))) == [5]
    # Twice as many as there are halvings: what the bad row was not in goes whole, and nothing goes that must fail.
    assert len(doris.answers) <= 13


def test_rows_filtered_by_a_lenient_server_are_found_all_the_same(doris: Doris, loader: DorisTarget) -> None:
    doris.order("filtered_success", ALWAYS)
    assert list(loader.load(batch([image(0), image(1, columns=2**31), image(2)]))) == [1]
    assert sops(doris) == ["1.2.0", "1.2.2"]


def test_trouble_in_the_middle_of_halving_leaves_nothing_undecided(doris: Doris, loader: DorisTarget) -> None:
    rows = [image(number, **({"columns": 2**31} if number == 5 else {})) for number in range(8)]
    doris.order("slow", 3, seconds=0)
    doris.order("fail", message=MEMORY)
    with pytest.raises(Unavailable):
        loader.load(batch(rows))
    assert list(loader.load(batch(rows))) == [5]
    assert len(sops(doris)) == 7


def test_an_older_revision_changes_nothing_and_another_batching_neither(doris: Doris, loader: DorisTarget) -> None:
    rows = [image(number % 7, revision) for revision, number in enumerate(range(60), 1)]
    loader.load(batch(rows))
    before = sorted(map(json.dumps, doris.rows(TABLE)))
    shuffled = random.Random(5).sample(rows, len(rows))
    for at in range(0, 60, 13):
        assert loader.load(batch(shuffled[at : at + 13], first=at)) == {}
    assert sorted(map(json.dumps, doris.rows(TABLE))) == before and len(before) == 7


@pytest.mark.parametrize("kind", [Kind.LOG, Kind.ACCESS, Kind.TRANSCODE])
def test_an_overlap_after_a_rebalance_doubles_nothing(doris: Doris, loader: DorisTarget, kind: Kind) -> None:
    key = "request_id" if kind is Kind.ACCESS else "trace_id"
    rows = [row(kind, **{key: f"k{number}"}) for number in range(20)]
    loader.load(batch(rows[:15], kind))
    loader.load(batch(rows[10:], kind, first=10))
    assert sorted(found[key] for found in doris.rows(TABLES[kind])) == sorted(f"k{n}" for n in range(20))


def test_neither_patient_nor_password_is_logged_or_told(
    doris: Doris, loader: DorisTarget, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = ""
    for kind in ("running", "be_reset_body", "publish_timeout", "no_backends"):
        doris.order(kind, **({"asks": 1} if kind == "running" else {}))
        try:
            loader.load(batch([row(Kind.STATE, patient_id=f"{NAME}-{kind}")], Kind.STATE))
        except Unavailable as error:
            said += repr(error) + error.hint
    faults = loader.load(batch([row(Kind.STATE, study_description=NAME * 9)], Kind.STATE))
    doris.order("fail", message=f"access denied {NAME} {PASSWORD}")
    with pytest.raises(Misdirected) as told:
        loader.load(batch([row(Kind.STATE)], Kind.STATE))
    said += repr(told.value) + told.value.hint + repr(faults) + caplog.text
    for secret in (NAME, "Müllerov", PASSWORD, "secret", base64.b64encode(f"loader:{PASSWORD}".encode()).decode()):
        assert secret not in said
