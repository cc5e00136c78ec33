"""Accesses in the outbox: told to the sinks that take them, behind everything else, and gone when delivered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from appliance.archive.accesses import Access, Accesses
from appliance.archive.outbox import Lease, Outcome, Verdict
from appliance.archive.room import Archive
from appliance.model.routes import ACCESS, EVENT_KINDS, Route, Selection
from tests.archives import new_archive, sender, small_settings
from tests.builders.instances import ct, part10
from tests.clocks import FakeClock

# The one that takes accesses asks for CT only: that is about objects.
TAKES = Route("centre", kinds=("state", ACCESS), selection=Selection(modalities=("CT",)))
OTHER = Route("outbound", kinds=EVENT_KINDS)


def access(number: int = 1, **values: Any) -> Access:
    named: dict[str, Any] = {
        "at": 1_000_000, "request_id": f"request-{number}", "method": "GET", "path": "/dicom-web/studies",
        "peer": "192.0.2.7:5000", "headers": {"Cookie": "secret", "Accept": "*/*"}, "user": "ann",
        "user_id": "account:1", "status": 200, "length": "12", "milliseconds": 3,
    }  # fmt: skip
    return Access(**{**named, **values})


@pytest.fixture
def archive(tmp_path: Path, clock: FakeClock) -> Iterator[Archive]:
    """An archive with a sink that takes accesses, and one that does not."""
    opened = new_archive(tmp_path, clock, sinks=(TAKES, OTHER))
    yield opened
    opened.close()


def claim(archive: Archive, sink: str = "centre") -> Lease:
    lease = archive.outbox.claim(sink, rows=1000, bytes_=1 << 30, lease_seconds=60)
    assert lease is not None
    return lease


def settle(archive: Archive, lease: Lease, verdict: Verdict = Verdict.DELIVERED) -> None:
    archive.outbox.settle(lease, [Outcome(row.event_id, verdict) for row in lease.deliveries])


def events(archive: Archive) -> int:
    with archive.database.read() as cx:
        return int(cx.execute("SELECT count(*) FROM event WHERE kind = 'access'").fetchone()[0])


def test_an_access_goes_to_the_sinks_that_take_it_behind_the_objects(archive: Archive) -> None:
    assert archive.accesses.append([access(1), access(2)]) == 0
    archive.ingest.receive_file(BytesIO(part10(ct())), sender())
    rows = claim(archive).deliveries
    assert [row.kind for row in rows] == ["state", ACCESS, ACCESS]
    record = json.loads(rows[1].payload)
    assert rows[1].message_key == record["request_id"] == "request-1"
    assert json.loads(record["headers"]) == {"accept": "*/*"}
    assert (record["user"], record["user_id"], record["status"], record["query_params"]) == (
        "ann",
        "account:1",
        200,
        "",
    )
    assert ACCESS not in {row.kind for row in claim(archive, "outbound").deliveries}


def test_a_delivered_access_is_not_kept(archive: Archive) -> None:
    archive.accesses.append([access(number) for number in range(5)])
    settle(archive, claim(archive))
    assert events(archive) == 0
    assert archive.outbox.stats()["centre"].delivered == 5


def test_an_access_stays_until_every_sink_has_it(tmp_path: Path, clock: FakeClock) -> None:
    both = Route("other", kinds=(ACCESS,))
    archive = new_archive(tmp_path, clock, sinks=(TAKES, both))
    archive.accesses.append([access()])
    settle(archive, claim(archive))
    assert events(archive) == 1
    settle(archive, claim(archive, "other"), Verdict.WAIT)
    settle(archive, claim(archive, "other"))
    assert events(archive) == 0
    archive.close()


def test_one_that_waits_holds_back_no_other(archive: Archive, clock: FakeClock) -> None:
    archive.accesses.append([access(1), access(2)])
    lease = claim(archive)
    later = clock.now() + 60_000_000
    archive.outbox.settle(lease, [Outcome(lease.deliveries[0].event_id, Verdict.FAILED, "x", later)])
    archive.outbox.release_all("centre")
    assert [row.message_key for row in claim(archive).deliveries] == ["request-2"]


def test_nothing_is_written_where_nobody_takes_it(tmp_path: Path, clock: FakeClock) -> None:
    archive = new_archive(tmp_path, clock)
    assert archive.accesses.append([access()]) == 0
    assert events(archive) == 0
    archive.close()


def test_so_many_wait_and_the_rest_is_counted(archive: Archive, clock: FakeClock) -> None:
    few = Accesses(archive.database, archive.settings, clock, most=3)
    assert few.append([access(number) for number in range(5)]) == 2
    assert few.append([access(9)]) == 1
    settle(archive, claim(archive))
    assert few.append([access(10)]) == 0


def test_a_sink_that_is_gone_leaves_none_behind(archive: Archive, tmp_path: Path, clock: FakeClock) -> None:
    archive.accesses.append([access()])
    Archive.initialise(small_settings(tmp_path, sinks=(OTHER,)), clock)
    assert events(archive) == 0


def test_reading_does_not_look_like_arriving(archive: Archive) -> None:
    before = archive.outbox.newest()
    archive.accesses.append([access()])
    assert archive.outbox.newest() == before
    archive.ingest.receive_file(BytesIO(part10(ct())), sender())
    assert archive.outbox.newest() > before


def test_a_sink_that_comes_later_is_not_told_of_reads_before_it(archive: Archive) -> None:
    archive.accesses.append([access(1)])
    later = Route("later", kinds=("state", ACCESS))
    archive.outbox.register([TAKES, OTHER, later])
    assert archive.outbox.list(sink="later", limit=10) == []
    archive.accesses.append([access(2)])
    (row,) = archive.outbox.list(sink="later", limit=10)
    assert row["kind"] == ACCESS
