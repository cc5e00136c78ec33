"""The Doris double keeps the rules of Stream Load that the loader relies on."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.partners.test_doris_ddl import DDL
from tests.partners.doris.double import Doris
from tests.partners.doris.troubles import MEMORY

SMALL = (
    DDL
    + """
CREATE TABLE heap (`id` VARCHAR(8) NOT NULL, `w` DOUBLE NULL) DUPLICATE KEY(`id`)
DISTRIBUTED BY HASH(`id`) BUCKETS 1 PROPERTIES ("replication_num" = "1");
"""
)
JSON = {"format": "json", "read_json_by_line": "true", "strict_mode": "true"}
AUTH = {"Authorization": "Basic " + base64.b64encode(b"loader:a:secret/word").decode()}
EXPECT = {"Expect": "100-continue"}
Row = dict[str, Any]


class Now:
    """A clock to turn."""

    seconds = 1e9

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self.seconds


@pytest.fixture
def now() -> Now:
    """The double's clock."""
    return Now()


@pytest.fixture
def doris(tmp_path: Path, now: Now) -> Iterator[Doris]:
    """A double with two tables."""
    with Doris(tmp_path, SMALL, clock=now) as double:
        yield double


def put(port: int, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
    """One PUT, nothing followed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("PUT", path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(text) if text else None
    finally:
        connection.close()


def load(doris: Doris, rows: list[Row] | bytes, label: str = "", table: str = "things", **more: str) -> Row:
    """The answer of the backend to a load."""
    body = rows if isinstance(rows, bytes) else b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    headers = {**JSON, **AUTH, **EXPECT, **({"label": label} if label else {}), **more}
    status, _, document = put(doris.be_port, f"/api/clinic/{table}/_stream_load", body, headers)
    assert status == 200
    found: Row = document
    return found


def thing(name: str, revision: int = 1, **more: Any) -> Row:
    """A row that fits."""
    return {"id": name, "day": "2024-01-31", "at": "2024-01-31T10:11:12.5", "n": 1, "revision": revision, **more}


def test_the_frontend_redirects_with_credentials_before_the_body(doris: Doris) -> None:
    status, headers, _ = put(doris.fe_port, "/api/clinic/things/_stream_load", b"", {**AUTH, **EXPECT})
    where = urlsplit(headers["location"])
    assert status == 307 and where.port == doris.be_port
    assert (where.username, where.password) == ("loader", "a%3Asecret%2Fword")


def test_a_body_sent_to_the_frontend_ends_the_connection(doris: Doris) -> None:
    with pytest.raises(OSError):
        while True:
            put(doris.fe_port, "/api/clinic/things/_stream_load", b"x" * 8_000_000, {**AUTH, **EXPECT})


def test_without_expect_the_frontend_refuses_with_200(doris: Doris) -> None:
    status, _, document = put(doris.fe_port, "/api/clinic/things/_stream_load", b"", AUTH)
    assert (status, document["status"]) == (200, "FAILED")


def test_both_doors_ask_for_the_password(doris: Doris) -> None:
    path = "/api/clinic/things/_stream_load"
    assert put(doris.fe_port, path, b"", EXPECT)[2]["code"] == 401
    doris.deny_by_status = True
    assert put(doris.fe_port, path, b"", EXPECT)[0] == 401
    assert "authorization" in put(doris.be_port, path, b"", {**EXPECT, **JSON})[2]["Message"]
    wrong = {"Authorization": "Basic " + base64.b64encode(b"loader:no").decode()}
    assert "Access denied" in put(doris.be_port, path, b"", {**EXPECT, **JSON, **wrong})[2]["Message"]


def test_rows_are_kept_as_their_columns_write_them(doris: Doris) -> None:
    assert load(doris, [thing("a"), thing("b", day=None, n="12")])["Status"] == "Success"
    a, b = doris.rows("things")
    assert a == {"id": "a", "day": "2024-01-31", "at": "2024-01-31 10:11:12.500000", "n": 1, "revision": 1}
    assert (b["day"], b["n"]) == (None, 12)


@pytest.mark.parametrize(
    "bad",
    [
        thing("ninebytes"),
        thing("ä" * 5),
        thing("x", day="2024-02-30"),
        thing("x", at="yesterday"),
        thing("x", n=2**31),
        thing("x", n=1.5),
        thing("x", n="one"),
        {**thing("x"), "revision": None},
        {"id": "x", "n": 1},
    ],
)
def test_one_bad_row_refuses_them_all_and_says_why(doris: Doris, bad: Row) -> None:
    answer = load(doris, [thing("a"), bad, thing("b")], "l")
    assert (answer["Status"], answer["NumberFilteredRows"], answer["NumberLoadedRows"]) == ("Fail", 1, 2)
    assert doris.rows("things") == []
    url = urlsplit(answer["ErrorURL"])
    connection = http.client.HTTPConnection("127.0.0.1", url.port or 0, timeout=10)
    connection.request("GET", f"{url.path}?{url.query}")
    assert str(bad["id"]) in connection.getresponse().read().decode()
    connection.close()
    assert load(doris, [thing("a")], "l")["Status"] == "Success"


def test_lines_that_are_no_json_are_bad_rows(doris: Doris) -> None:
    assert load(doris, b'{"id":\n')["NumberFilteredRows"] == 1
    assert load(doris, b'{"id":"\xff","n":1,"revision":1}\n')["NumberFilteredRows"] == 1


def test_without_strict_mode_what_cannot_be_converted_is_null_silently(doris: Doris) -> None:
    assert load(doris, [thing("a", day="never")], strict_mode="false")["Status"] == "Success"
    assert doris.rows("things")[0]["day"] is None
    assert load(doris, [thing("a", n="never")], strict_mode="false")["Status"] == "Fail"


def test_a_higher_or_equal_sequence_replaces_and_a_lower_one_does_not(doris: Doris) -> None:
    load(doris, [thing("a", 5, n=1)])
    load(doris, [thing("a", 4, n=2)])
    assert doris.rows("things")[0]["n"] == 1
    load(doris, [thing("a", 5, n=3)])
    load(doris, [thing("a", 7, n=7), thing("a", 6, n=6)])
    assert [row["n"] for row in doris.rows("things")] == [7]


def test_a_duplicate_table_keeps_every_row(doris: Doris) -> None:
    for _ in range(2):
        load(doris, [{"id": "a", "w": 0.5}], table="heap")
    assert len(doris.rows("heap")) == 2


def test_a_label_is_taken_for_twelve_hours(doris: Doris, now: Now) -> None:
    assert load(doris, [thing("a")], "l")["Status"] == "Success"
    again = load(doris, [thing("b")], "l")
    assert (again["Status"], again["ExistingJobStatus"]) == ("Label Already Exists", "FINISHED")
    now.seconds += 12 * 3600 + 1
    assert load(doris, [thing("b")], "l")["Status"] == "Success"


@pytest.mark.parametrize("label", ["a.b", "a b", "x" * 129])
def test_labels_have_a_form(doris: Doris, label: str) -> None:
    assert "Label format" in load(doris, [thing("a")], label)["Message"]


def test_what_is_not_there_is_named_with_200(doris: Doris) -> None:
    assert "Unknown table" in load(doris, [thing("a")], table="none")["Message"]
    headers = {**JSON, **AUTH, **EXPECT}
    assert "unknown database" in put(doris.be_port, "/api/no/things/_stream_load", b"", headers)[2]["Message"]
    assert "sequence" in load(doris, [thing("a")], columns="id,n")["Message"]
    assert "no default" in load(doris, [thing("a")], columns="n,revision")["Message"]
    assert "does not know" in load(doris, [thing("a")], group_commit="sync_mode")["Message"]


def test_columns_that_are_not_named_keep_their_default(doris: Doris) -> None:
    assert load(doris, [thing("a", n=1)], columns="id, `revision`, extra")["Status"] == "Success"
    assert doris.rows("things") == [{"id": "a", "day": None, "at": None, "n": 7, "revision": 1}]


def test_a_running_transaction_holds_its_label_until_it_ends(doris: Doris) -> None:
    doris.order("running")
    with pytest.raises(OSError):
        load(doris, [thing("a")], "l")
    assert load(doris, [thing("a")], "l")["ExistingJobStatus"] == "RUNNING" and not doris.rows("things")
    doris.release()
    assert load(doris, [thing("a")], "l")["ExistingJobStatus"] == "FINISHED" and len(doris.rows("things")) == 1


def test_a_running_transaction_may_be_rolled_back(doris: Doris) -> None:
    doris.order("stuck", asks=1)
    with pytest.raises(OSError):
        load(doris, [thing("a")], "l")
    assert load(doris, [thing("a")], "l")["ExistingJobStatus"] == "RUNNING"
    assert load(doris, [thing("a")], "l")["Status"] == "Success"


def test_publish_timeout_is_committed_and_visible_late(doris: Doris) -> None:
    doris.order("publish_timeout")
    assert load(doris, [thing("a")], "l")["Status"] == "Publish Timeout"
    assert not doris.rows("things")
    assert load(doris, [thing("a")], "l")["ExistingJobStatus"] == "FINISHED"
    doris.release()
    assert len(doris.rows("things")) == 1


def test_failures_on_order_leave_nothing_and_free_the_label(doris: Doris) -> None:
    doris.order("fail", message=MEMORY)
    assert load(doris, [thing("a")], "l")["Message"] == MEMORY
    doris.order("be_reset_body")
    with pytest.raises(OSError):
        load(doris, [thing("a")], "l")
    assert not doris.rows("things") and load(doris, [thing("a")], "l")["Status"] == "Success"


def test_a_lost_answer_is_a_commit(doris: Doris) -> None:
    doris.order("lost_answer")
    with pytest.raises(OSError):
        load(doris, [thing("a")], "l")
    assert len(doris.rows("things")) == 1


def test_an_answer_before_the_body_leaves_the_body_unread(doris: Doris) -> None:
    load(doris, [thing("a")], "l")
    connection = http.client.HTTPConnection("127.0.0.1", doris.be_port, timeout=10)
    connection.putrequest("PUT", "/api/clinic/things/_stream_load")
    for name, value in {**JSON, **AUTH, **EXPECT, "label": "l", "Content-Length": "100"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert json.loads(connection.getresponse().read())["ExistingJobStatus"] == "FINISHED"
    connection.close()


def test_what_was_committed_is_there_after_the_end_and_torn_lines_are_not(tmp_path: Path) -> None:
    with Doris(tmp_path, SMALL) as doris:
        load(doris, [thing("a")], "l")
    with (tmp_path / "commits.jsonl").open("ab") as file:
        file.write(b'{"number": 2, "data')
    with Doris(tmp_path, SMALL) as doris:
        assert len(doris.rows("things")) == 1
        assert load(doris, [thing("b")], "l")["ExistingJobStatus"] == "FINISHED"
        load(doris, [thing("b")], "m")
    with Doris(tmp_path, SMALL) as doris:
        assert len(doris.rows("things")) == 2
