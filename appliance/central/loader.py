"""The loader: records from topics into databases, offsets committed only after that.

At least once, always: whatever is interrupted comes again, and the databases' keys and revisions make it the same. A
database that is away stops its own partitions only; they stay assigned, because polling goes on.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from appliance.central.admission import Admission, Admitted
from appliance.central.batches import Bounds, Gathering, Piece, Work
from appliance.central.dead_letters import Graves
from appliance.central.doubts import Doubts
from appliance.central.loader_numbers import LoaderNumbers
from appliance.central.record import Record, Slot
from appliance.central.standing import Backoff, Standing
from appliance.central.stream import Stream
from appliance.central.targets import Kind, Misdirected, ReceiptBook, Target, Unavailable
from appliance.clock import Clock
from appliance.failpoints import failpoint
from appliance.logs import get_logger

log = get_logger(__name__)

STREAM = "topics"
REGISTRY = "registry"
GRAVES = "dead letters"
RECEIPTS = "receipts"
OFFSETS = "offsets"
OBSTACLES = (Unavailable, Misdirected)
# Raw records kept in all, in batches: beyond that nothing is read until some are loaded.
MOST_HELD = 8
# Polling again is due after so long at the latest, however many batches could go on.
LONGEST_STEP = 30.0


@dataclass(frozen=True, slots=True)
class Route:
    """Where the records of a topic go."""

    kind: Kind
    target: Target
    table: str


@dataclass(frozen=True, slots=True)
class Places:
    """Everything a loader works with. `receipts` is None where nobody wants any."""

    stream: Stream
    routes: Mapping[str, Route]
    admission: Admission
    graves: Graves
    receipts: ReceiptBook | None


@dataclass(frozen=True, slots=True)
class Rules:
    """How it works. `attempts`: how often a row alone may meet an unknown error; `random` is in [0, 1).

    `rest` waits for so many seconds, or less where the end is wished. `alive` is told before every piece of work.
    """

    bounds: Bounds
    backoff: Backoff
    random: Callable[[], float]
    rest: Callable[[float], object]
    attempts: int = 10
    alive: Callable[[], object] = lambda: None


@dataclass(slots=True)
class _InHand:
    """What of one partition is in hand."""

    gathering: Gathering = field(default_factory=Gathering)
    work: Work | None = None

    @property
    def count(self) -> int:
        """Records that were polled and are not committed."""
        return len(self.gathering) + (self.work.count if self.work else 0)

    @property
    def busy(self) -> bool:
        """Whether nothing more is to be read of it for now."""
        return self.work is not None and not self.work.lonely

    @property
    def first_offset(self) -> int:
        """The first offset of them."""
        return self.work.first_offset if self.work else self.gathering.first_offset


class Loader:
    """One member of the group. One thread calls `step` again and again, then `finish`."""

    def __init__(self, places: Places, rules: Rules, clock: Clock, numbers: LoaderNumbers) -> None:
        """Touch nothing yet."""
        self._places = places
        self._rules = rules
        self._clock = clock
        self._numbers = numbers
        self._hands: dict[Slot, _InHand] = {}
        self._doubts = Doubts()
        names = {route.target.name for route in places.routes.values()}
        for name in (STREAM, REGISTRY, OFFSETS, GRAVES, RECEIPTS, *sorted(names)):
            numbers.standings.setdefault(name, Standing())

    def step(self, seconds: float) -> None:
        """Read once, waiting up to `seconds` for records, and take every batch that is due as far as it goes."""
        patience, wait = self._patience(seconds), self._standing(STREAM).not_before - self._clock.monotonic()
        if wait <= 0:
            self._read(patience)
        else:
            self._rules.rest(min(wait, seconds))
        latest = self._clock.monotonic() + LONGEST_STEP
        for slot in self._in_turn():
            self._advance(slot)
            if self._clock.monotonic() > latest:
                break
        self._hold()

    def finish(self) -> None:
        """Try each batch in hand once more, whether due or not; what is not committed then comes again."""
        for standing in self._numbers.standings.values():
            standing.not_before = 0.0
        for slot, hand in tuple(self._hands.items()):
            if hand.work is not None:
                for piece in hand.work.pieces:
                    piece.not_before = 0.0
                self._carry(slot, hand.work)

    def measure(self) -> None:
        """Bring the lag in the numbers up to date; asks the brokers."""
        behind: dict[str, int] = dict.fromkeys(self._places.routes, 0)
        lag = self._places.stream.lag()
        for slot, count in lag.items():
            hand = self._hands.get(slot)
            behind[slot[0]] = behind.get(slot[0], 0) + count + (hand.count if hand else 0)
        self._numbers.lag = behind
        self._numbers.partitions = len(lag)

    def _read(self, seconds: float) -> None:
        stream = self._places.stream
        try:
            records = stream.poll(seconds)
        except OBSTACLES as fault:
            self._drop(tuple(self._hands))
            self._failed(STREAM, fault)
            return
        self._worked(STREAM)
        now, new = self._clock.monotonic(), _by_slot(records)
        self._drop(stream.taken(), new)
        for slot, found in new.items():
            self._hands.setdefault(slot, _InHand()).gathering.add(found, now)

    def _drop(self, slots: Iterable[Slot], new: dict[Slot, list[Record]] | None = None) -> None:
        """Let go of what is in hand of partitions that are not ours any more: whoever has them reads it again.

        That may be us. What came of such a partition with this poll goes from `new`, and is read again behind the rest:
        it may not be committed before that.
        """
        for slot in slots:
            hand = self._hands.pop(slot, None)
            if hand is None or not hand.count:
                continue
            polled = (new or {}).pop(slot, [])
            self._places.stream.seek(slot, min([hand.first_offset, *(record.offset for record in polled[:1])]))
            self._numbers.dropped += 1
            log.info("batch dropped: its partition was taken", topic=slot[0], partition=slot[1])

    def _in_turn(self) -> list[Slot]:
        """Return the partitions that can go on now: those with a batch first, then those that have waited longest."""
        now, bounds = self._clock.monotonic(), self._rules.bounds
        ripe = [
            (hand.work is None, hand.gathering.ripe_at(bounds), slot)
            for slot, hand in self._hands.items()
            if hand.work is not None
            or (hand.gathering and (hand.gathering.full(bounds) or hand.gathering.ripe_at(bounds) <= now))
        ]
        return [slot for *_, slot in sorted(ripe)]

    def _advance(self, slot: Slot) -> None:
        hand, route = self._hands[slot], self._places.routes[slot[0]]
        if hand.work is None:
            # While its database is away no batch is made: rows take many times the room of records.
            if not self._standing(route.target.name).due(self._clock.monotonic()) or not self._knows_sites():
                return
            hand.work = self._begin(slot, hand.gathering)
        self._carry(slot, hand.work)

    def _knows_sites(self) -> bool:
        """Say whether records can be judged: a directory that is not mounted must not make dead letters of them all."""
        if not self._standing(REGISTRY).due(self._clock.monotonic()):
            return False
        try:
            self._places.admission.check()
        except Misdirected as fault:
            self._failed(REGISTRY, fault)
            return False
        self._worked(REGISTRY)
        return True

    def _begin(self, slot: Slot, gathering: Gathering) -> Work:
        route, records = self._places.routes[slot[0]], gathering.take(self._rules.bounds)
        work = Work(slot, route.kind, route.table, records[0].offset, records[-1].offset)
        self._admit(work, records)
        return work

    def _admit(self, work: Work, records: Sequence[Record]) -> None:
        """Sort records into rows, which become a piece of their own, and dead letters."""
        start = len(work.records)
        for record in records:
            found = self._places.admission.admit(record, work.kind)
            if isinstance(found, Admitted):
                work.believe(record, found)
            else:
                work.refuse(record, found, self._clock.now())
        work.ready(start)

    def _enlarge(self, work: Work) -> None:
        """Give a row that stands alone in doubt company: what came behind it may show that its table takes rows."""
        gathering = self._hands[work.slot].gathering
        if gathering and self._knows_sites():
            records = gathering.take(self._rules.bounds)
            work.last_offset = records[-1].offset
            self._admit(work, records)

    def _carry(self, slot: Slot, work: Work) -> None:
        """Take a batch from step to step until it is committed or has to wait."""
        started, work.waits_for = self._clock.monotonic(), ""
        target = self._places.routes[slot[0]].target
        done = (
            self._load(work, target)
            and self._try(GRAVES, work, lambda: self._bury(work))
            and self._try(RECEIPTS, work, lambda: self._receipt(work))
            and self._try(OFFSETS, work, lambda: self._commit(slot, work))
        )
        self._numbers.took(slot[0], self._clock.monotonic() - started)
        if done:
            self._numbers.batches[slot[0]] += 1

    def _load(self, work: Work, target: Target) -> bool:
        """Load every piece that is due; return whether none is left."""
        tried: list[Piece] = []
        while piece := self._due(work, tried):
            if not self._try(target.name, work, partial(self._load_piece, work, piece, target)):
                return False
            tried.append(piece)
        return not work.pieces

    def _due(self, work: Work, tried: Sequence[Piece]) -> Piece | None:
        now = self._clock.monotonic()
        return next((piece for piece in work.pieces if piece.not_before <= now and piece not in tried), None)

    def _load_piece(self, work: Work, piece: Piece, target: Target) -> None:
        batch = work.batch(piece)
        try:
            faults = target.load(batch)
        except Exception as error:  # boundary: whatever a driver raises, a row or the database is at fault
            self._judge(work, piece, target, error)
            return
        failpoint("loader.after_load")
        self._doubts.took(batch, faults)
        work.lonely = False
        self._numbers.loaded[work.slot[0]] += len(piece.rows) - len(faults)
        work.loaded(piece, faults, self._clock.now())

    def _judge(self, work: Work, piece: Piece, target: Target, error: Exception) -> None:
        """Count a failure against the rows, where they are to blame; else raise it as what the target waits for."""
        name, now = type(error).__name__, self._clock.now()
        unknown = Unavailable(f"it failed for an unknown reason ({name})", doubtful=True)
        fault = error if isinstance(error, OBSTACLES) else unknown
        if not fault.doubtful or not self._doubts.blames_rows(work, piece, target, now):
            if work.lonely and work.count <= self._rules.bounds.rows:
                self._enlarge(work)
            # What a driver says may quote a row.
            raise fault from None
        log.warning("load failed, of these rows alone", target=target.name, rows=len(piece.rows), fault=name)
        if work.failed(piece, self._rules.attempts, now):
            wait = self._rules.backoff.delay(piece.attempts, self._rules.random())
            piece.not_before = self._clock.monotonic() + wait

    def _bury(self, work: Work) -> None:
        if work.letters and not work.buried:
            self._places.graves.bury(work.letters)
            failpoint("loader.after_dead_letters")
            self._numbers.note_letters(work.letters)
            self._tell(work)
        work.buried = True

    def _tell(self, work: Work) -> None:
        """Say it once a batch and reason: whoever floods a topic shall not flood the log."""
        told = Counter((letter.rejection.cause.value, letter.rejection.reason) for letter in work.letters)
        topic, partition = work.slot
        for (cause, reason), count in told.items():
            log.warning(
                "records rejected", topic=topic, partition=partition, first_offset=work.first_offset,
                last_offset=work.last_offset, count=count, cause=cause, reason=reason,
            )  # fmt: skip

    def _receipt(self, work: Work) -> None:
        book = self._places.receipts
        if book is not None and not work.receipted:
            rows = work.receipts(self._clock.now())
            if rows:
                book.write(rows)
                self._numbers.receipts += len(rows)
        work.receipted = True

    def _commit(self, slot: Slot, work: Work) -> None:
        failpoint("loader.before_commit")
        self._places.stream.commit(slot, work.last_offset + 1)
        self._numbers.last_commit = self._clock.now()
        self._hands[slot].work = None

    def _try(self, name: str, work: Work, deed: Callable[[], None]) -> bool:
        """Do something at a destination that may be away; return whether it was done."""
        work.waits_for = name
        if not self._standing(name).due(self._clock.monotonic()):
            return False
        self._rules.alive()
        try:
            deed()
        except OBSTACLES as fault:
            self._failed(name, fault)
            return False
        work.waits_for = ""
        self._worked(name)
        return True

    def _failed(self, name: str, fault: Unavailable | Misdirected) -> None:
        now, random = self._clock.monotonic(), self._rules.random()
        self._numbers.failed_commits += name == OFFSETS
        if self._standing(name).failed(fault, now, self._rules.backoff, random):
            tell = log.error if isinstance(fault, Misdirected) else log.warning
            state = self._standing(name).state.value
            tell("loader waits", destination=name, state=state, reason=fault.message, hint=fault.hint)

    def _worked(self, name: str) -> None:
        if self._standing(name).worked():
            log.info("loader goes on", destination=name)

    def _standing(self, name: str) -> Standing:
        return self._numbers.standings[name]

    def _hold(self) -> None:
        """Read no more of partitions that have a batch in hand or to come."""
        bounds = self._rules.bounds
        full = sum(hand.gathering.size for hand in self._hands.values()) > MOST_HELD * bounds.bytes
        self._places.stream.hold(
            {slot for slot, hand in self._hands.items() if full or hand.busy or hand.gathering.full(bounds)}
        )

    def _patience(self, seconds: float) -> float:
        """Return how long to wait for records: not beyond what else is due."""
        now = self._clock.monotonic()
        due = (self._due_at(slot, hand, now) for slot, hand in self._hands.items())
        return max(0.0, min(now + seconds, *due, now + seconds) - now)

    def _due_at(self, slot: Slot, hand: _InHand, now: float) -> float:
        bounds = self._rules.bounds
        if hand.work is not None:
            if hand.work.waits_for:
                return self._standing(hand.work.waits_for).not_before
            return min((piece.not_before for piece in hand.work.pieces), default=now)
        if not hand.gathering:
            return math.inf
        ripe = now if hand.gathering.full(bounds) else hand.gathering.ripe_at(bounds)
        target = self._standing(self._places.routes[slot[0]].target.name)
        return max(ripe, target.not_before, self._standing(REGISTRY).not_before)


def _by_slot(records: Iterable[Record]) -> dict[Slot, list[Record]]:
    found: dict[Slot, list[Record]] = {}
    for record in records:
        found.setdefault(record.slot, []).append(record)
    return found
