"""The loader: nothing committed that is not in the databases, nothing lost, nothing bad let in, whatever fails."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.central.admission import Admission, Cause
from appliance.central.batches import POISON, Bounds
from appliance.central.loader import GRAVES, OFFSETS, RECEIPTS, REGISTRY, Loader, Places, Route, Rules
from appliance.central.loader_numbers import LoaderNumbers
from appliance.central.record import Slot
from appliance.central.registry import Registry
from appliance.central.standing import Backoff, State
from appliance.central.targets import Batch, Kind, Misdirected, Unavailable
from tests.builders.cloud import DIGEST, SYNTAX, SiteKey, encoded, record
from tests.clocks import FakeClock
from tests.partners.loader_targets import MemoryReceipts, MemoryTarget, revision_of
from tests.unit.central.topics import Broker, FakeStream, MemoryGraves

SITE = SiteKey("clinic-1")
STATES, IMAGES = "states", "images"


class Stage:
    """A loader with everything around it in memory. `restart` is a kill -9 and a new process."""

    def __init__(self, directory: Path, *, attempts: int = 10, rows: int = 5, most: int = 7) -> None:
        SITE.register(directory)
        self.registry = Registry(directory)
        self.clock = FakeClock()
        self.broker = Broker()
        self.random: Callable[[], float] = lambda: 0.5
        self.states, self.images = MemoryTarget("states-db"), MemoryTarget("images-db")
        self.graves, self.receipts = MemoryGraves(), MemoryReceipts()
        self._bounds = Bounds(rows, 1 << 20, 0.5)
        self._attempts = attempts
        self._most = most
        self._serial = 0
        self.signed = True
        self.restart()

    def restart(self) -> None:
        self.stream = FakeStream(self.broker, self.clock, self._most)
        self.numbers = LoaderNumbers()
        routes = {
            STATES: Route(Kind.STATE, self.states, "state_table"),
            IMAGES: Route(Kind.IMAGE, self.images, "image_table"),
        }
        admission = Admission(self.registry, signed=self.signed, max_bytes=1 << 20)
        places = Places(self.stream, routes, admission, self.graves, self.receipts)
        rules = Rules(self._bounds, Backoff(1, 60), lambda: self.random(), self.clock.advance, self._attempts)
        self.loader = Loader(places, rules, self.clock, self.numbers)

    def good(self, slot: Slot, **values: Any) -> dict[str, Any]:
        self._serial += 1
        kind = "state" if slot[0] == STATES else "image"
        fresh = {"series_uid": f"1.2.{self._serial}"} if kind == "state" else {"sop_uid": f"1.3.{self._serial}"}
        found = record(kind, **{**fresh, **values})
        value = encoded(found)
        self.broker.append(slot, value, SITE.headers(value))
        return found

    def bad(self, slot: Slot) -> int:
        return self.broker.append(slot, b"{nonsense", SITE.headers(b"{nonsense")).offset

    def run(self, steps: int = 400) -> None:
        for _ in range(steps):
            self.loader.step(0.5)
            if self.broker.drained:
                return
        raise AssertionError(f"not drained: {self.numbers.snapshot()}")

    def state(self, name: str) -> State:
        return self.numbers.standings[name].state

    @property
    def letters(self) -> Counter[tuple[str, int, int]]:
        return Counter((x.record.topic, x.record.partition, x.record.offset) for x in self.graves.letters)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def _raising(*faults: Exception | None) -> Callable[..., None]:
    left: Iterator[Exception | None] = iter(faults)

    def step(*_: Any) -> None:
        fault = next(left, None)
        if fault is not None:
            raise fault

    return step


def test_records_go_to_their_tables_and_are_committed(stage: Stage) -> None:
    states = [stage.good((STATES, 0)) for _ in range(12)]
    images = [stage.good((IMAGES, 1)) for _ in range(3)]
    stage.run()
    assert [dict(row) for row in stage.states.tables["state_table"].values()] == states
    assert [dict(row) for row in stage.images.tables["image_table"].values()] == images
    assert stage.numbers.loaded == {STATES: 12, IMAGES: 3}
    assert not stage.graves.letters


def test_bad_records_lie_in_the_dead_letters_once_and_spoil_nothing(stage: Stage) -> None:
    stage.good((STATES, 0))
    bad = [stage.bad((STATES, 0)) for _ in range(2)]
    stage.good((STATES, 0))
    stage.run()
    assert stage.letters == {(STATES, 0, offset): 1 for offset in bad}
    assert {x.rejection.cause for x in stage.graves.letters} == {Cause.JSON}
    assert len(stage.states.tables["state_table"]) == 2


def test_receipts_follow_the_databases_and_go_ahead_of_the_commit(stage: Stage) -> None:
    state, image = stage.good((STATES, 0), revision=9), stage.good((IMAGES, 0))
    stage.states._refuses = lambda row: row["series_uid"] == "1.2.666"
    stage.good((STATES, 0), series_uid="1.2.666")
    told: list[int] = []
    stage.broker.on_commit = lambda slot, offset: told.append(len(stage.receipts.rows))
    stage.run()
    of_state, of_image = sorted(stage.receipts.rows.values(), key=lambda row: row.sop_uid)
    assert (of_state.site, of_state.series_uid, of_state.sop_uid, of_state.revision, of_state.digest) == (
        "clinic-1", state["series_uid"], "", 9, "")  # fmt: skip
    assert (of_image.sop_uid, of_image.digest, of_image.transfer_syntax_uid) == (image["sop_uid"], DIGEST, SYNTAX)
    assert told[-1] == 2


def test_an_image_record_without_its_digest_gets_no_receipt(stage: Stage) -> None:
    # What stands in headers is not signed.
    value = encoded({name: value for name, value in record("image").items() if name != "digest"})
    stage.broker.append((IMAGES, 0), value, SITE.headers(value, edge_digest=DIGEST, edge_syntax=SYNTAX))
    stage.run()
    assert not stage.receipts.rows


def test_a_record_without_a_signature_gets_no_receipt_where_it_is_taken(stage: Stage) -> None:
    stage.signed = False
    stage.restart()
    for kind, slot in (("state", (STATES, 0)), ("image", (IMAGES, 0))):
        stage.broker.append(slot, encoded(record(kind)), [("ce_source", b"urn:dicom-edge:site:clinic-1")])
    stage.run()
    assert stage.numbers.loaded == {STATES: 1, IMAGES: 1}
    assert not stage.receipts.rows


def test_while_the_registry_is_away_records_wait_and_are_not_refused(stage: Stage, tmp_path: Path) -> None:
    stage.registry = Registry(tmp_path / "mount")
    stage.restart()
    stage.good((STATES, 0))
    for _ in range(20):
        stage.loader.step(0.5)
    assert (stage.state(REGISTRY), stage.numbers.state) == (State.PAUSED, State.PAUSED)
    SITE.register(tmp_path / "mount")
    stage.run()
    assert not stage.letters and stage.numbers.state is State.WORKING


def test_rows_the_database_refuses_become_dead_letters_with_its_reason(stage: Stage) -> None:
    stage.states._refuses = lambda row: row["patient_age"] == "bad"
    stage.good((STATES, 0))
    stage.good((STATES, 0), patient_age="bad")
    stage.run()
    assert [(x.rejection.cause, x.rejection.reason) for x in stage.graves.letters] == [
        (Cause.DATABASE, "the table does not take this row")
    ]
    assert stage.numbers.loaded[STATES] == 1


def test_a_database_that_is_away_stops_its_own_partitions_only_and_polling_goes_on(stage: Stage) -> None:
    stage.images._before = _raising(*[Unavailable("gone")] * 6)
    stage.good((IMAGES, 0))
    for _ in range(4):
        stage.loader.step(0.5)
    polls = stage.stream.polls
    assert polls >= 4
    assert stage.stream.held == {(IMAGES, 0)}
    assert (stage.state("images-db"), stage.numbers.state, stage.numbers.reason) == (
        State.WAITING, State.WAITING, "images-db: gone")  # fmt: skip
    stage.good((STATES, 0))
    stage.stream.rearrange([(STATES, 0), (IMAGES, 0)])
    while (STATES, 0) not in stage.broker.committed:
        stage.loader.step(0.5)
    assert (IMAGES, 0) not in stage.broker.committed
    stage.run()
    assert stage.numbers.state is State.WORKING
    assert not stage.graves.letters


def test_a_destination_that_somebody_must_mend_is_told_as_paused(stage: Stage) -> None:
    stage.states._before = _raising(*[Misdirected("no such table")] * 3)
    stage.good((STATES, 0))
    stage.loader.step(0.5)
    while not stage.states.loads and stage.state("states-db") is State.WORKING:
        stage.loader.step(0.5)
    assert stage.state("states-db") is State.PAUSED
    stage.run()


def test_waits_grow_and_a_wish_of_the_database_counts(stage: Stage) -> None:
    stage.states._before = _raising(Unavailable("a"), Unavailable("a"), Unavailable("a", retry_after=300))
    stage.good((STATES, 0))
    started = stage.clock.monotonic()
    stage.run(2000)
    assert stage.clock.monotonic() - started >= 0.5 + 1 + 300


@pytest.mark.parametrize("place", [GRAVES, RECEIPTS, OFFSETS])
def test_steps_that_are_done_are_not_done_again_while_a_later_one_waits(stage: Stage, place: str) -> None:
    faults = _raising(*[Unavailable("gone")] * 3)
    if place == GRAVES:
        stage.graves._before = faults
    elif place == RECEIPTS:
        stage.receipts._before = faults
    else:
        stage.stream.before_commit = faults
    stage.good((STATES, 0))
    bad = stage.bad((STATES, 0))
    stage.run()
    assert stage.states.loads == {STATES: 1}
    assert stage.letters == {(STATES, 0, bad): 1}
    assert len(stage.receipts.rows) == 1
    assert stage.numbers.failed_commits == (3 if place == OFFSETS else 0)


def test_a_row_that_fails_alone_for_no_known_reason_is_given_up_in_the_end(tmp_path: Path) -> None:
    stage = Stage(tmp_path, attempts=4, rows=8)
    loads: list[int] = []

    def poison(batch: Batch) -> None:
        loads.append(len(batch.rows))
        if any(row["patient_age"] == "poison" for row in batch.rows):
            raise ZeroDivisionError("QUAGGA")

    stage.states._before = poison
    for number in range(8):
        stage.good((STATES, 0), patient_age="poison" if number == 3 else "ok")
    stage.run()
    assert [(x.rejection.cause, x.rejection.reason) for x in stage.graves.letters] == [(Cause.UNKNOWN, POISON)]
    assert len(stage.states.tables["state_table"]) == 7
    assert loads.count(1) >= 4


def test_a_partition_that_is_taken_drops_what_is_in_hand_uncommitted(stage: Stage) -> None:
    stage.states._before = _raising(*[Unavailable("gone")] * 2)
    stage.good((STATES, 0))
    bad = stage.bad((STATES, 0))
    stage.loader.step(0.5)
    stage.loader.step(0.5)
    stage.stream.rearrange([])
    stage.loader.step(0.0)
    assert stage.numbers.dropped == 1
    assert not stage.graves.letters
    stage.run()
    assert stage.letters == {(STATES, 0, bad): 1}


def test_a_partition_that_a_rebalance_leaves_with_us_keeps_what_is_in_hand(stage: Stage) -> None:
    stage.states._before = _raising(*[Unavailable("gone")] * 2)
    stage.good((STATES, 0))
    bad = stage.bad((STATES, 0))
    while stage.state("states-db") is State.WORKING:
        stage.loader.step(0.5)
    stage.stream.rearrange([(STATES, 0)])
    stage.run()
    assert (stage.numbers.dropped, stage.states.loads) == (0, {STATES: 1})
    assert stage.letters == {(STATES, 0, bad): 1}


def test_a_lost_line_drops_everything_and_is_waited_for(stage: Stage) -> None:
    stage.good((STATES, 0))
    stage.stream.before_poll = _raising(None, Unavailable("no broker"), Unavailable("no broker"))
    stage.run()
    assert len(stage.states.tables["state_table"]) == 1


def test_the_end_finishes_a_batch_that_can_be_finished(stage: Stage) -> None:
    stage.states._before = _raising(Unavailable("for a moment"))
    stage.good((STATES, 0))
    while stage.state("states-db") is State.WORKING:
        stage.loader.step(0.5)
    stage.loader.finish()
    assert stage.broker.drained


def test_lag_counts_what_is_in_hand(stage: Stage) -> None:
    stage.states._before = _raising(*[Unavailable("gone")] * 100)
    for _ in range(30):
        stage.good((STATES, 0))
    for _ in range(5):
        stage.loader.step(0.5)
    stage.loader.measure()
    assert (stage.numbers.lag[STATES], stage.numbers.partitions) == (30, 1)


def test_a_smaller_batch_waits_for_company_but_not_for_long(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rows=100)
    stage.good((STATES, 0))
    stage.loader.step(0.5)
    assert not stage.states.loads
    stage.loader.step(0.5)
    stage.loader.step(0.5)
    assert stage.states.loads == {STATES: 1}


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_in_whatever_order_nothing_is_lost_and_nothing_bad_gets_in(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    random.seed(seed)
    stage = Stage(tmp_path, attempts=3)
    stage.random = chance.random
    slots: list[Slot] = [(STATES, 0), (STATES, 1), (IMAGES, 0), (IMAGES, 1)]
    good: dict[Slot, list[dict[str, Any]]] = {slot: [] for slot in slots}
    bad: set[tuple[str, int, int]] = set()

    def maybe(*faults: Exception) -> Callable[..., None]:
        def step(*_: Any) -> None:
            if chance.random() < 0.15:
                raise chance.choice(faults)

        return step

    obstacles = (Unavailable("gone"), Misdirected("mend me"))
    stage.states._before = stage.images._before = maybe(*obstacles)
    stage.graves._before = stage.receipts._before = maybe(*obstacles)

    def check(slot: Slot, offset: int) -> None:
        target = stage.states if slot[0] == STATES else stage.images
        rows = list(target.tables.get(f"{slot[0][:-1]}_table", {}).values())
        for place, found in enumerate(stage.broker.logs[slot]):
            if found.offset >= offset:
                break
            kind, value = index[slot, found.offset]
            if kind == "good":
                key = "series_uid" if slot[0] == STATES else "sop_uid"
                assert any(r[key] == value[key] and revision_of(r) >= value.get("revision", 0) for r in rows), place
                assert any(value[key] in (told.series_uid, told.sop_uid) for told in stage.receipts.rows.values())
            else:
                assert (*slot, found.offset) in stage.letters

    index: dict[tuple[Slot, int], tuple[str, dict[str, Any]]] = {}
    stage.broker.on_commit = check
    for _ in range(120):
        slot = chance.choice(slots)
        if chance.random() < 0.2:
            offset = stage.bad(slot)
            bad.add((*slot, offset))
            index[slot, offset] = ("bad", {})
        else:
            twin = chance.choice(good[slot]) if good[slot] and slot[0] == STATES and chance.random() < 0.3 else None
            values = {"series_uid": twin["series_uid"], "revision": twin["revision"] + 1} if twin else {}
            good[slot].append(stage.good(slot, **values))
            index[slot, stage.broker.logs[slot][-1].offset] = ("good", good[slot][-1])

    def wild() -> None:
        stage.stream.before_commit = maybe(Unavailable("group is being rearranged"))
        stage.stream.before_poll = maybe(Unavailable("no broker"))

    wild()
    for _ in range(4000):
        stage.loader.step(0.5)
        if chance.random() < 0.03:
            stage.stream.rearrange(chance.sample(slots, chance.randint(1, 4)), lost=chance.random() < 0.3)
        elif chance.random() < 0.02:
            stage.restart()
            wild()
        if stage.broker.drained:
            break
    assert stage.broker.drained, stage.numbers.snapshot()
    assert set(stage.letters) == bad
    newest: Counter[str] = Counter()
    for row in good[STATES, 0] + good[STATES, 1]:
        newest[row["series_uid"]] = max(newest[row["series_uid"]], row["revision"])
    assert {str(r["series_uid"]): r["revision"] for r in stage.states.tables["state_table"].values()} == newest
    assert len(stage.images.tables["image_table"]) == len(good[IMAGES, 0]) + len(good[IMAGES, 1])
