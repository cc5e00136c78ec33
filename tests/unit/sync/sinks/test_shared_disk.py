"""A directory sink on the archive's own disk leaves the reserve alone."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from appliance.archive.outbox import Delivery
from appliance.sync.sinks.contract import Unreachable
from appliance.sync.sinks.directory import DirectorySink
from tests.archives import new_archive, sender
from tests.builders.instances import ct, part10

HUGE = 1 << 60


def rows(tmp_path: Path) -> tuple[Delivery, ...]:
    archive = new_archive(tmp_path / "home")
    archive.ingest.receive_file(BytesIO(part10(ct())), sender())
    lease = archive.outbox.claim("outbound", rows=10, bytes_=1 << 30, lease_seconds=60)
    archive.close()
    assert lease is not None
    return lease.deliveries


def test_it_waits_when_only_the_archives_reserve_is_left(tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path / "home" / "out", create=True, beside=tmp_path, floor_bytes=HUGE)
    answers = sink.deliver(rows(tmp_path))
    assert {type(answer) for answer in answers.values()} == {Unreachable}
    sink.close()


def test_a_disk_of_its_own_may_be_filled(tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path / "home" / "out", create=True, beside=Path("/proc"), floor_bytes=HUGE)
    assert set(sink.deliver(rows(tmp_path)).values()) == {None}
    sink.close()
