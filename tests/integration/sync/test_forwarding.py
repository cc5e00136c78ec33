"""The outbox drained by a real sync process into real directories."""

from __future__ import annotations

import json
from pathlib import Path

from appliance.archive.outbox import Verdict
from appliance.model.routes import Route
from tests.archives import SINK
from tests.integration.sync.boxes import Box
from tests.waiting import wait_until


def test_everything_stored_reaches_the_directory(box: Box) -> None:
    box.store(7)
    box.start()
    box.wait_drained()
    box.outbound.assert_complete(box.archive)
    box.store(3)
    box.wait_drained()
    box.outbound.assert_complete(box.archive)
    assert box.appliance.stop("sync") == 0
    assert box.published() == {}


def test_numbers_are_published(box: Box) -> None:
    box.store(2)
    box.start()
    box.wait_drained()
    published = wait_until(lambda: box.published().get("sinks", {}).get(SINK, {}).get("delivered") and box.published())
    assert published["state"] == "ready"
    assert published["sinks"][SINK]["breaker"] == "closed"
    assert published["sinks"][SINK]["delivered"] == box.stats().delivered


def test_a_second_sync_process_refuses(box: Box) -> None:
    box.start()
    box.appliance.wait_ready("sync")
    done = box.appliance.command("sync", check=False)
    assert done.returncode == 75
    assert "(appliance sync)" in done.stderr
    assert "Traceback" not in done.stderr


def test_leases_of_a_killed_process_are_taken_back_at_once(box: Box) -> None:
    box.store(5)
    assert box.archive.outbox.claim(SINK, rows=100, bytes_=1 << 20, lease_seconds=3600) is not None
    box.start()
    box.wait_drained(seconds=20)
    box.outbound.assert_complete(box.archive)


def _two_sinks(tmp_path: Path) -> Box:
    sinks = {"good": {"path": str(tmp_path / "good")}, "lost": {"path": str(tmp_path / "lost")}}
    (tmp_path / "good").mkdir()
    return Box(tmp_path / "home", {"APPLIANCE__SYNC__SINKS": json.dumps(sinks)}, sinks=(Route("good"), Route("lost")))


def test_a_sink_that_is_down_slows_no_other_and_recovers_by_itself(tmp_path: Path) -> None:
    with _two_sinks(tmp_path) as box:
        box.store(4)
        box.start()
        box.wait_drained("good")
        lost = wait_until(lambda: box.stats("lost").breaker == "paused" and box.stats("lost"))
        assert "the directory is missing" in lost.reason
        assert lost.pending
        assert not lost.dead
        assert {row["attempts"] for row in box.archive.outbox.list(sink="lost")} == {0}
        (tmp_path / "lost").mkdir()
        box.wait_drained("lost")
        wait_until(lambda: box.stats("lost").breaker == "closed")


def test_a_poisoned_row_becomes_a_dead_letter_and_can_be_replayed(box: Box) -> None:
    box.store(6)
    victim = next(box.archive.settings.root.rglob("*.dcm"))
    data = victim.read_bytes()
    victim.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    box.start()
    box.wait_drained()
    dead = box.archive.outbox.list(sink=SINK, state="dead")
    assert [row["kind"] for row in dead] == ["object"]
    assert "damaged" in dead[0]["reason"]
    assert len(box.outbound.objects()) == 5
    victim.write_bytes(data)
    assert box.archive.outbox.retry(sink=SINK) == 1
    box.wait_drained()
    assert box.stats().dead == 0
    box.outbound.assert_complete(box.archive)


def test_a_replay_delivers_again(box: Box) -> None:
    box.store(3)
    box.start()
    box.wait_drained()
    before = box.outbound.objects()
    for path in (box.home / SINK / "objects").rglob("*.dcm"):
        path.unlink()
    assert box.archive.outbox.replay(sink=SINK) > 0
    box.wait_drained()
    assert box.outbound.objects() == before
    box.outbound.assert_complete(box.archive)


def test_a_place_that_the_archive_uses_is_refused(tmp_path: Path) -> None:
    with Box(tmp_path / "home", {"APPLIANCE__SYNC__SINKS": '{"archive": {}}'}) as box:
        done = box.appliance.command("sync", check=False)
    assert done.returncode == 78
    assert "sync.sinks.archive" in done.stderr


def test_verdict_names_are_those_of_the_outbox() -> None:
    assert {verdict.value for verdict in Verdict} == {"delivered", "wait", "failed", "dead"}
