"""Invariant 13: no path evicts without proof. Every guard has a scenario that it alone stands against.

Each scenario is played twice: with all guards the bytes stay; with this one guard struck out of the
SQL they go. So no guard is there in name alone, and none is without a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.archive import evictable
from appliance.archive.eviction import DAY, IN_USE
from appliance.archive.room import Archive
from appliance.model.records import Stored
from appliance.model.routes import Route
from tests.builders.instances import ct
from tests.clocks import FakeClock
from tests.unit.archive.evicting import (
    CENTRE,
    EVERYTHING,
    box,
    change,
    confirm,
    deliver,
    is_held,
    only,
    settled,
    store,
)

Scenario = Callable[[Archive, FakeClock], Stored]
OTHER = Route("other", kinds=("object",), required=False)
SECOND = Route("second", kinds=("object",), proves=True)
RECORDS = Route("records", kinds=("state", "image"))
SECOND_OF_NOBODY = replace(SECOND, required=False)


def unproven_at_a_required_sink(archive: Archive, clock: FakeClock) -> Stored:
    return settled(archive, clock)


def unproven_anywhere(archive: Archive, clock: FakeClock) -> Stored:
    """No sink takes it: nobody else has it."""
    stored = store(archive)
    deliver(archive)
    clock.advance(2 * 86_400)
    return stored


def proof_of_another_content(archive: Archive, clock: FakeClock) -> Stored:
    other = settled(archive, clock)
    stored = store(archive)
    deliver(archive)
    clock.advance(2 * 86_400)
    assert other.version_id != stored.version_id
    return stored


def proof_of_the_record_alone(archive: Archive, clock: FakeClock) -> Stored:
    stored = store(archive)
    deliver(archive)
    confirm(archive, stored.version_id, level="metadata")
    clock.advance(2 * 86_400)
    return stored


def proof_from_the_future(archive: Archive, clock: FakeClock) -> Stored:
    stored = settled(archive, clock)
    confirm(archive, stored.version_id, kind="readback", at=clock.now() + 1)
    return stored


def read_back_too_long_ago(archive: Archive, clock: FakeClock) -> Stored:
    stored = settled(archive, clock)
    confirm(archive, stored.version_id, kind="readback", at=clock.now() - DAY - 1)
    return stored


def proof_of_a_directory(archive: Archive, clock: FakeClock) -> Stored:
    stored = store(archive)
    deliver(archive)
    confirm(archive, stored.version_id, "folder")
    clock.advance(2 * 86_400)
    return stored


def proof_of_a_sink_from_an_older_version(archive: Archive, clock: FakeClock) -> Stored:
    """Its route does not say whether it can prove anything."""
    stored = settled(archive, clock)
    change(archive, "UPDATE sink SET route = json_remove(route, '$.proves')")
    return stored


def proof_of_a_sink_that_is_no_more(archive: Archive, clock: FakeClock) -> Stored:
    stored = settled(archive, clock)
    change(archive, "UPDATE sink SET active = 0")
    return stored


def a_sink_that_is_held(archive: Archive, clock: FakeClock) -> Stored:
    stored = settled(archive, clock)
    archive.outbox.hold("centre", "leads elsewhere now")
    return stored


def undelivered(state: str) -> Scenario:
    def scenario(archive: Archive, clock: FakeClock) -> Stored:
        stored = settled(archive, clock)
        change(archive, "UPDATE delivery SET state = ? WHERE sink = 'records'", state)
        return stored

    return scenario


def waiting_for_a_required_sink_out_of_service(archive: Archive, clock: FakeClock) -> Stored:
    stored = settled(archive, clock)
    change(archive, "UPDATE delivery SET state = 'pending' WHERE sink = 'records'")
    change(archive, "UPDATE sink SET active = 0 WHERE name = 'records'")
    return stored


def on_its_way_to_a_sink_that_is_not_required(archive: Archive, clock: FakeClock) -> Stored:
    stored = settled(archive, clock)
    change(archive, "UPDATE delivery SET state = 'leased' WHERE sink = 'other'")
    return stored


def filling(archive: Archive, clock: FakeClock) -> Stored:
    stored = settled(archive, clock)
    change(archive, "UPDATE sink SET fill_until = filled + 1 WHERE name = 'records'")
    return stored


def superseded(archive: Archive, clock: FakeClock) -> Stored:
    stored = settled(archive, clock)
    change(archive, "UPDATE version SET standing = 'superseded'")
    return stored


def in_conflict(archive: Archive, clock: FakeClock) -> Stored:
    dataset = ct(PatientComments="first")
    stored = settled(archive, clock, dataset)
    dataset.PatientComments = "second"
    store(archive, dataset)
    clock.advance(2 * 86_400)
    return stored


def pinned(archive: Archive, clock: FakeClock) -> Stored:
    stored = settled(archive, clock)
    archive.uses.pin(stored.study_uid, by="somebody", reason="teaching")
    return stored


def just_looked_at(archive: Archive, clock: FakeClock) -> Stored:
    stored = settled(archive, clock)
    archive.uses.view({stored.study_uid: clock.now() - IN_USE + 1})
    return stored


def too_young(archive: Archive, clock: FakeClock) -> Stored:
    stored = settled(archive, clock)
    change(archive, "UPDATE version SET received_at = ?", clock.now() - DAY + 1)
    return stored


def received_in_the_future(archive: Archive, clock: FakeClock) -> Stored:
    """The clock was set back after it arrived."""
    stored = settled(archive, clock)
    change(archive, "UPDATE version SET received_at = ?", clock.now() + 30 * DAY)
    return stored


GUARD = evictable.GUARDS
PROOF = evictable.PROOF
FOLDER = Route("folder", kinds=("object",), required=True)
# What is struck out, the sinks of the box, and what has happened on it.
SCENARIOS: dict[str, tuple[str, tuple[Route, ...], Scenario]] = {
    "a required sink": (GUARD["no proof from a required sink"], (CENTRE, SECOND), unproven_at_a_required_sink),
    "a required sink for one modality": (
        GUARD["no proof from a required sink"],
        (CENTRE, replace(SECOND, selection=only(modalities=("CT",), ae_titles=("CT1",)))), unproven_at_a_required_sink,
    ),
    "a directory that is required": (
        GUARD["no proof from a required sink"], (CENTRE, FOLDER), unproven_at_a_required_sink,
    ),
    "no sink at all": (GUARD["no proof from anywhere"], (RECORDS,), unproven_anywhere),
    "a sink that does not take it": (
        GUARD["no proof from anywhere"], (replace(CENTRE, selection=only(modalities=("MR",))),), unproven_anywhere,
    ),
    "another content": (PROOF["of this very content"], (CENTRE,), proof_of_another_content),
    "the record": (PROOF["of the bytes"], (CENTRE,), proof_of_the_record_alone),
    "the future": (PROOF["not from the future"], (CENTRE,), proof_from_the_future),
    "an old read-back": (PROOF["a receipt, or read back lately"], (CENTRE,), read_back_too_long_ago),
    "a directory": (PROOF["of a sink that can prove"], (FOLDER,), proof_of_a_directory),
    "a sink from an older version": (
        PROOF["of a sink that can prove"], (CENTRE,), proof_of_a_sink_from_an_older_version,
    ),
    "a sink that is no more": (PROOF["of a sink in service"], (CENTRE,), proof_of_a_sink_that_is_no_more),
    "a sink that is held": (PROOF["of a sink that is not held"], (CENTRE,), a_sink_that_is_held),
    "pending": (GUARD["not delivered yet to a required sink"], (CENTRE, RECORDS), undelivered("pending")),
    "dead": (GUARD["not delivered yet to a required sink"], (CENTRE, RECORDS), undelivered("dead")),
    "pending, out of service": (
        GUARD["not delivered yet to a required sink"], (CENTRE, RECORDS), waiting_for_a_required_sink_out_of_service,
    ),
    "leased": (GUARD["on its way to a sink"], (CENTRE, RECORDS), undelivered("leased")),
    "leased by another": (
        GUARD["on its way to a sink"], (CENTRE, OTHER), on_its_way_to_a_sink_that_is_not_required,
    ),
    "filling": (GUARD["a queue is still being filled"], (CENTRE, RECORDS), filling),
    "superseded": (GUARD["not the current content"], (CENTRE,), superseded),
    "conflict": (GUARD["an open conflict"], (CENTRE,), in_conflict),
    "pinned": (GUARD["pinned"], (CENTRE,), pinned),
    "looked at": (GUARD["looked at or fetched back just now"], (CENTRE,), just_looked_at),
    "young": (GUARD["too young"], (CENTRE,), too_young),
    "from the future": (GUARD["too young"], (CENTRE,), received_in_the_future),
}  # fmt: skip


def evict(archive: Archive, stored: Stored) -> None:
    archive.retention._evictor.evict(stored.study_uid, EVERYTHING.keep_days)  # pinned studies are no candidates


@pytest.mark.parametrize("name", SCENARIOS)
def test_invariant_13_the_guard_keeps_the_bytes(tmp_path: Path, clock: FakeClock, name: str) -> None:
    _, routes, scenario = SCENARIOS[name]
    archive = box(tmp_path / "home", clock, *routes)
    stored = scenario(archive, clock)
    archive.retention.run()
    evict(archive, stored)
    assert is_held(archive, stored)
    archive.close()


@pytest.mark.parametrize("name", SCENARIOS)
def test_invariant_13_without_the_guard_they_would_go(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    clause, routes, scenario = SCENARIOS[name]
    assert clause in evictable.EVICTABLE
    monkeypatch.setattr(evictable, "EVICTABLE", evictable.EVICTABLE.replace(clause, "1"))
    archive = box(tmp_path / "home", clock, *routes)
    stored = scenario(archive, clock)
    evict(archive, stored)
    assert not is_held(archive, stored)
    archive.close()


def test_every_guard_has_a_scenario() -> None:
    struck = {clause for clause, _, _ in SCENARIOS.values()}
    assert struck == {*evictable.GUARDS.values(), *evictable.PROOF.values()}


def test_invariant_13_a_proven_object_goes(tmp_path: Path, clock: FakeClock) -> None:
    """What the scenarios spoil: without it they would prove nothing."""
    archive = box(tmp_path / "home", clock, CENTRE, RECORDS, OTHER)
    stored = settled(archive, clock)
    assert archive.retention.run().objects == 1
    assert not is_held(archive, stored)
    archive.close()


def test_invariant_13_a_file_that_is_not_there_is_no_case_for_eviction(tmp_path: Path, clock: FakeClock) -> None:
    archive = box(tmp_path / "home", clock)
    lost, short = settled(archive, clock), settled(archive, clock)
    archive.reading.instances(lost.study_uid)[0].path.unlink()
    path = archive.reading.instances(short.study_uid)[0].path
    path.write_bytes(path.read_bytes()[:-1])
    assert archive.retention.run().objects == 0
    assert archive.reading.instances(lost.study_uid)[0].held, "fsck has to find it"
    assert path.exists()
    archive.close()
