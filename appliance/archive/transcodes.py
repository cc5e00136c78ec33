"""Transcode records: which current objects no decoder of this box could read, and what still has to be tried."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from appliance import __version__
from appliance.archive.database import Database, Row
from appliance.archive.events import Announcer
from appliance.clock import Clock

NOTE = """
INSERT INTO transcode (version_id, tenant, study_uid, series_uid, sop_uid, frame, fault, reason, program, at)
SELECT id, tenant, study_uid, series_uid, sop_uid, :frame, :fault, :reason, :program, :at
FROM version WHERE id = :version_id AND tenant = :tenant
ON CONFLICT (version_id) DO UPDATE SET frame = excluded.frame, fault = excluded.fault,
  reason = excluded.reason, program = excluded.program, at = excluded.at
WHERE program <> excluded.program
"""

SHOWN = "SELECT 1 FROM instance WHERE version_id = ?"

# Of current versions only: a superseded object is shown to nobody.
LISTED = """
SELECT t.* FROM transcode t JOIN instance i ON i.version_id = t.version_id
WHERE t.tenant = :tenant AND (:study_uid = '' OR t.study_uid = :study_uid)
ORDER BY t.study_uid, t.series_uid, i.instance_number, t.sop_uid LIMIT :limit
"""

COUNT = "SELECT count(*) FROM transcode t JOIN instance i ON i.version_id = t.version_id WHERE t.tenant = ?"

STORED_IN = """
SELECT v.id, v.study_uid, v.series_uid, v.sop_uid, s.updated_at
FROM version v JOIN instance i ON i.version_id = v.id
JOIN series s ON s.tenant = i.tenant AND s.study_uid = i.study_uid AND s.series_uid = i.series_uid
WHERE v.tenant = :tenant AND v.id > :after AND v.blob_path IS NOT NULL
  AND v.transfer_syntax_uid IN (SELECT value FROM json_each(:syntaxes))
ORDER BY v.id LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One record. `fault` is "refused", "timed_out", "crashed" or "too_large"; `at` is microseconds."""

    version_id: int
    study_uid: str
    series_uid: str
    sop_uid: str
    frame: int
    fault: str
    reason: str
    program: str
    at: int

    @property
    def current(self) -> bool:
        """Whether this very program made it: another one may have other decoders."""
        return self.program == __version__


@dataclass(frozen=True, slots=True)
class Candidate:
    """A current object in one of the asked transfer syntaxes; `updated_at` is its series', in microseconds."""

    version_id: int
    study_uid: str
    series_uid: str
    sop_uid: str
    updated_at: int


class Transcodes:
    """The records of one tenant. Safe to share between threads."""

    def __init__(self, database: Database, tenant: str, announcer: Announcer, clock: Clock) -> None:
        """Take the database, the tenant, what tells the sinks, and the clock."""
        self._database = database
        self._tenant = tenant
        self._announcer = announcer
        self._clock = clock

    def note(self, version_id: int, frame: int, fault: str, reason: str) -> None:
        """Record that `frame` of a version could not be decoded; durable on return.

        The first record of a version by one program stays, and the sinks are told of it in the same transaction;
        a repeat changes nothing. `reason` holds no patient data.
        """
        values: dict[str, Any] = {
            "tenant": self._tenant, "version_id": version_id, "frame": frame, "fault": fault, "reason": reason,
            "program": __version__, "at": self._clock.now(),
        }  # fmt: skip
        with self._database.write() as cx:
            if cx.execute(NOTE, values).rowcount and cx.execute(SHOWN, (version_id,)).fetchone():
                self._announcer.announce_transcode(cx, version_id, values, values["at"])

    def forget(self, version_id: int) -> None:
        """Remove the record of a version: it could be decoded after all. Safe to repeat."""
        with self._database.write() as cx:
            cx.execute("DELETE FROM transcode WHERE version_id = ? AND tenant = ?", (version_id, self._tenant))

    def find(self, version_id: int) -> Unreadable | None:
        """Return the record of a version, if there is one."""
        with self._database.read() as cx:
            row = cx.execute(
                "SELECT * FROM transcode WHERE version_id = ? AND tenant = ?", (version_id, self._tenant)
            ).fetchone()
        return _unreadable(row) if row else None

    def records(self, study_uid: str = "", limit: int = 1000) -> list[Unreadable]:
        """Return the records of current objects, of one study or of all, in reading order."""
        values = {"tenant": self._tenant, "study_uid": study_uid, "limit": limit}
        with self._database.read() as cx:
            return [_unreadable(row) for row in cx.execute(LISTED, values).fetchall()]

    def count(self) -> int:
        """Return how many current objects have a record."""
        with self._database.read() as cx:
            return int(cx.execute(COUNT, (self._tenant,)).fetchone()[0])

    def stored_in(self, syntaxes: Iterable[str], after: int, limit: int) -> list[Candidate]:
        """Return current objects held in these transfer syntaxes, by version, those beyond version `after`."""
        values = {"tenant": self._tenant, "after": after, "syntaxes": json.dumps(sorted(syntaxes)), "limit": limit}
        with self._database.read() as cx:
            return [Candidate(*row) for row in cx.execute(STORED_IN, values).fetchall()]


def _unreadable(row: Row) -> Unreadable:
    fields = Unreadable.__dataclass_fields__
    return Unreadable(**{name: row[name] for name in fields})
