"""Chains of custody: of each version, every link from the door to the proof at each sink."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.archive.database import Connection, Database, Row
from appliance.archive.scope import Scope, find
from appliance.errors import NotFound

PAGE = 500

VERSIONS = """
SELECT v.*,
  EXISTS (SELECT 1 FROM instance i WHERE i.tenant = v.tenant AND i.sop_uid = v.sop_uid AND i.version_id = v.id)
    AS indexed,
  EXISTS (SELECT 1 FROM conflict c INDEXED BY conflict_open WHERE c.tenant = v.tenant AND c.settled = 0
    AND c.sop_uid = v.sop_uid) AS contested,
  coalesce((SELECT max(c.at) FROM custody c WHERE c.tenant = v.tenant AND c.sop_uid = v.sop_uid), v.received_at)
  AS changed_at
FROM version v
"""
OF_SCOPE = VERSIONS + " WHERE {scope} AND v.id > :after ORDER BY v.id LIMIT :rows"
# A window of numbers at a time, however few of them are wanted: a long read would keep the log from being copied.
# The plus sign keeps SQLite from going through all the tenant's versions for each window.
CHANGED = f"""
WITH page AS MATERIALIZED ({VERSIONS} WHERE +v.tenant = :tenant AND v.id > :after AND v.id <= :until)
SELECT * FROM page WHERE changed_at >= :since AND changed_at < :before ORDER BY id
"""

# Of several events of one kind the newest counts: a version can be made current again.
DELIVERIES = """
SELECT e.version_id, e.kind, e.id, d.sink, d.state, d.attempts, d.updated_at, s.required
FROM json_each(?) n CROSS JOIN event e INDEXED BY event_by_version ON e.version_id = n.value
  CROSS JOIN delivery d ON d.event_id = e.id CROSS JOIN sink s ON s.name = d.sink
WHERE e.kind IN ('image', 'object') AND s.active = 1
ORDER BY e.id, d.sink
"""
CONFIRMATIONS = """
SELECT c.version_id, c.sink, c.level, c.kind, c.at, c.proof FROM json_each(?) n
CROSS JOIN confirmation c ON c.version_id = n.value ORDER BY c.version_id, c.sink, c.level
"""

SERIES = """
WITH v AS MATERIALIZED (SELECT DISTINCT v.tenant, +v.study_uid AS study_uid, v.series_uid FROM version v WHERE {scope})
SELECT v.study_uid, v.series_uid,
  coalesce((SELECT max(e.revision) FROM event e INDEXED BY event_by_series JOIN delivery d ON d.event_id = e.id
    JOIN sink s ON s.name = d.sink AND s.active = 1
    WHERE e.tenant = v.tenant AND e.study_uid = v.study_uid AND e.series_uid = v.series_uid AND e.kind = 'state'
    AND d.state = 'delivered'), 0) AS told,
  (SELECT max(c.revision) FROM series_confirmation c WHERE c.tenant = v.tenant AND c.study_uid = v.study_uid
    AND c.series_uid = v.series_uid) AS confirmed
FROM v ORDER BY v.study_uid, v.series_uid
"""

SINKS = """
SELECT s.name, s.required, s.route, c.sink IS NOT NULL AS asked, coalesce(c.trouble, '') AS trouble
FROM sink s LEFT JOIN receipt_cursor c ON c.sink = s.name WHERE s.active = 1 ORDER BY s.name
"""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a sink has proven: `kind` is receipt or readback, `at` microseconds, `proof` what is kept of it."""

    sink: str
    level: str
    kind: str
    at: int
    proof: str


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a version on its way to one sink. `updated_at`: when its state last changed."""

    sink: str
    kind: str
    state: str
    attempts: int
    updated_at: int
    required: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """One version's links. Times are microseconds since 1970, UTC; None for what has not happened."""

    version_id: int
    study_uid: str
    series_uid: str
    sop_uid: str
    digest: str
    transfer_syntax_uid: str
    standing: str
    door: str
    source_ae: str
    source_address: str
    received_at: int
    indexed: bool
    held: bool
    contested: bool
    evicted_at: int | None
    deleted_at: int | None
    changed_at: int
    steps: tuple[Step, ...] = ()
    confirmations: tuple[Confirmation, ...] = ()

    def confirmed(self, level: str, sink: str = "") -> Confirmation | None:
        """Return the confirmation of a level by one sink, or by any."""
        found = (one for one in self.confirmations if one.level == level and sink in ("", one.sink))
        return next(found, None)


@dataclass(frozen=True, slots=True)
class SeriesChain:
    """A series' state record: the newest revision any sink was told, and up to which the centre has it."""

    study_uid: str
    series_uid: str
    told: int
    confirmed: int | None


@dataclass(frozen=True, slots=True)
class SinkFacts:
    """An active sink: whether it is required, ever asked for proof, and asked for receipts (with what trouble)."""

    name: str
    required: bool
    proof: bool
    receipts: bool
    trouble: str


@dataclass(frozen=True, slots=True)
class Custodian:
    """Everything that is known of a study, series or instance."""

    scope: Scope
    chains: tuple[Chain, ...]
    series: tuple[SeriesChain, ...]
    sinks: tuple[SinkFacts, ...]


@dataclass(slots=True)
class _Page:
    """What belongs to the versions of one page."""

    steps: dict[int, dict[tuple[str, str], Step]] = field(default_factory=dict)
    confirmations: dict[int, list[Confirmation]] = field(default_factory=dict)


class Chains:
    """Reads the chains of one tenant."""

    def __init__(self, database: Database, tenant: str) -> None:
        """Take the database and the tenant."""
        self._database = database
        self._tenant = tenant

    def of(self, uid: str) -> Custodian:
        """Return the chains of a study, series or instance. Raises NotFound."""
        chains: list[Chain] = []
        with self._database.read() as cx:
            scope = find(cx, self._tenant, uid)
            if scope is None:
                raise NotFound(f"this box has never had {uid}", hint="check the study, series or instance UID")
            statement, after = OF_SCOPE.format(scope=scope.condition), 0
            while page := cx.execute(statement, {**scope.values, "after": after, "rows": PAGE}).fetchall():
                chains += _chains(cx, page)
                after = page[-1]["id"]
            series = cx.execute(SERIES.format(scope=scope.condition), scope.values).fetchall()
        return Custodian(scope, tuple(chains), tuple(SeriesChain(*row) for row in series), self.sinks())

    def sinks(self) -> tuple[SinkFacts, ...]:
        """Return the active sinks."""
        with self._database.read() as cx:
            return tuple(_sink(row) for row in cx.execute(SINKS).fetchall())

    def changed(self, since: int, before: int) -> Iterator[Chain]:
        """Yield the chain of every version whose last line in the ledger is of [since, before), in microseconds.

        Page by page, each a snapshot of its own: what changes meanwhile may appear as it was or as it is.
        """
        with self._database.read() as cx:
            last = cx.execute("SELECT coalesce(max(id), 0) FROM version").fetchone()[0]
        for after in range(0, last, PAGE):
            values = {"tenant": self._tenant, "after": after, "until": after + PAGE, "since": since, "before": before}
            with self._database.read() as cx:
                chains = _chains(cx, cx.execute(CHANGED, values).fetchall())
            yield from chains


def _chains(cx: Connection, versions: Sequence[Row]) -> list[Chain]:
    page, numbers = _Page(), json.dumps([row["id"] for row in versions])
    for row in cx.execute(DELIVERIES, (numbers,)).fetchall():
        step = Step(row["sink"], row["kind"], row["state"], row["attempts"], row["updated_at"], bool(row["required"]))
        page.steps.setdefault(row["version_id"], {})[row["sink"], row["kind"]] = step
    for row in cx.execute(CONFIRMATIONS, (numbers,)).fetchall():
        found = Confirmation(row["sink"], row["level"], row["kind"], row["at"], row["proof"])
        page.confirmations.setdefault(row["version_id"], []).append(found)
    return [_chain(row, page) for row in versions]


NAMES = (
    "study_uid", "series_uid", "sop_uid", "digest", "transfer_syntax_uid", "standing", "door", "source_ae",
    "source_address", "received_at", "evicted_at", "deleted_at", "changed_at",
)  # fmt: skip


def _chain(row: Row, page: _Page) -> Chain:
    values: Mapping[str, str] = {name: row[name] for name in NAMES}
    steps: Mapping[tuple[str, str], Step] = page.steps.get(row["id"], {})
    return Chain(
        version_id=row["id"],
        indexed=bool(row["indexed"]),
        held=row["blob_path"] is not None,
        contested=bool(row["contested"]),
        steps=tuple(steps[key] for key in sorted(steps)),
        confirmations=tuple(page.confirmations.get(row["id"], ())),
        **values,  # type: ignore[arg-type]
    )


def _sink(row: Row) -> SinkFacts:
    route = json.loads(row["route"]) if row["route"] else {}
    return SinkFacts(
        row["name"], bool(row["required"]), bool(route.get("proof")), bool(row["asked"]), row["trouble"]
    )  # fmt: skip
