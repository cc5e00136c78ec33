"""The register: what one received object changes in the database, decided and written in one transaction."""

from __future__ import annotations

from collections.abc import Callable

from appliance.archive import custody
from appliance.archive.custody import Fact
from appliance.archive.database import Connection, Row
from appliance.archive.events import Announcer
from appliance.archive.index import (
    Content,
    current_version,
    deleted_version,
    find_version,
    insert_version,
    make_current,
    move_blob,
)
from appliance.clock import Clock
from appliance.failpoints import failpoint
from appliance.model.records import ConflictPolicy, Header, Origin, Result, Stored

STANDING = {
    ConflictPolicy.ASK: "contested",
    ConflictPolicy.NEWEST: "superseded",
    ConflictPolicy.FIRST: "superseded",
}


UNWANTED_PROOF = """
UPDATE delivery SET proof_due = NULL WHERE +proof_due IS NOT NULL AND event_id IN (
  SELECT e.id FROM version v CROSS JOIN event e INDEXED BY event_by_version ON e.version_id = v.id
  WHERE v.tenant = ? AND v.sop_uid = ? AND v.standing = 'current')
"""


class Register:
    """Applies the rules of duplicates and conflicts (invariant 6) and announces what became current."""

    def __init__(self, tenant: str, timezone: str, announcer: Announcer, clock: Clock) -> None:
        """Take the tenant, the zone of dates that must be made up, and the maker of events."""
        self._tenant = tenant
        self._timezone = timezone
        self._announcer = announcer
        self._clock = clock

    def record(self, cx: Connection, content: Content, holds: Callable[[Row], bool]) -> Stored:
        """Write one object's rows, events and custody line; `holds` says whether a known version's file is there.

        Same content: a duplicate, no event; a lost or evicted file is replaced. New content for a
        known UID: a further version and a conflict, settled by the sender's policy. What somebody
        has deleted stays deleted: the same content is acknowledged and nothing of it kept, other content
        under that UID waits for a person.
        """
        header, now = content.header, self._clock.now()
        known = find_version(cx, self._tenant, header.sop_uid, content.digest, content.transfer_syntax_uid)
        if known is not None and known["deleted_at"] is not None:
            self._note(cx, content, Fact.RESENT, content.origin.door.value, now)
            return _stored(Result.DUPLICATE, content, known["id"])
        if known is not None:
            return self._known(cx, content, known, holds(known), now)
        current = current_version(cx, self._tenant, header.sop_uid)
        if current is None and (tombstone := deleted_version(cx, self._tenant, header.sop_uid)) is not None:
            return self._conflict(cx, content, tombstone, now, ConflictPolicy.ASK)
        if current is None:
            version_id = insert_version(cx, self._tenant, content, "current", now)
            self._note(cx, content, Fact.RECEIVED, content.origin.door.value, now)
            self.announce(cx, version_id, header, content.transfer_syntax_uid, content.origin, now)
            return _stored(Result.STORED, content, version_id)
        return self._conflict(cx, content, current, now, content.origin.conflict_policy)

    def promote(self, cx: Connection, version: Row, header: Header, origin: Origin, now: int) -> None:
        """Make another version of an instance the current one, and forward it; of the old one no proof is wanted."""
        cx.execute(UNWANTED_PROOF, (self._tenant, header.sop_uid))
        cx.execute(
            "UPDATE version SET standing = 'superseded' WHERE tenant = ? AND sop_uid = ? AND standing = 'current'",
            (self._tenant, header.sop_uid),
        )
        cx.execute("UPDATE version SET standing = 'current' WHERE id = ?", (version["id"],))
        self.announce(cx, version["id"], header, version["transfer_syntax_uid"], origin, now)

    def announce(self, cx: Connection, version_id: int, header: Header, syntax: str, origin: Origin, now: int) -> None:
        """Write the index rows of a current version and the events that tell every sink."""
        revision, left = make_current(cx, self._tenant, version_id, header, now, self._timezone, syntax)
        failpoint("ingest.between_rows_and_events")
        marks = self._announcer.announce(cx, version_id, revision, origin.traceparent, now)
        if left is not None:
            self._announcer.announce_series(cx, version_id, left, revision, origin.traceparent, now)
        for mark in (*header.marks, *marks):
            version = cx.execute("SELECT digest FROM version WHERE id = ?", (version_id,)).fetchone()
            uids = (header.study_uid, header.series_uid, header.sop_uid)
            custody.note(cx, self._tenant, uids, version[0], Fact.MARKED, "", mark, now)

    def _known(self, cx: Connection, content: Content, known: Row, held: bool, now: int) -> Stored:
        if not held:
            move_blob(cx, known["id"], content.blob)
            revive(cx, self._tenant, known, now)
        fact, result = (Fact.DUPLICATE, Result.DUPLICATE) if held else (Fact.RESTORED, Result.RESTORED)
        self._note(cx, content, fact, content.origin.door.value, now)
        if known["standing"] == "superseded" and self._is_vacant(cx, known["sop_uid"]):
            self.promote(cx, known, content.header, content.origin, now)  # its tombstone has been lifted
        return _stored(result, content, known["id"])

    def _is_vacant(self, cx: Connection, sop_uid: str) -> bool:
        """Say whether an instance has neither a current version nor a tombstone."""
        tenant = self._tenant
        return current_version(cx, tenant, sop_uid) is None and deleted_version(cx, tenant, sop_uid) is None

    def _conflict(self, cx: Connection, content: Content, current: Row, now: int, policy: ConflictPolicy) -> Stored:
        version_id = insert_version(cx, self._tenant, content, STANDING[policy], now)
        settled = policy is not ConflictPolicy.ASK
        chosen = {
            ConflictPolicy.ASK: None,
            ConflictPolicy.NEWEST: version_id,
            ConflictPolicy.FIRST: current["id"],
        }
        cx.execute(
            "INSERT INTO conflict (tenant, sop_uid, first_version, further_version, policy, settled,"
            " chosen_version, created_at, settled_at, settled_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self._tenant, content.header.sop_uid, current["id"], version_id, policy.value, int(settled),
             chosen[policy], now, now if settled else None, "policy" if settled else None),
        )  # fmt: skip
        self._note(cx, content, Fact.CONFLICT, f"{content.origin.door.value}, policy {policy.value}", now)
        if policy is ConflictPolicy.NEWEST:
            version = cx.execute("SELECT * FROM version WHERE id = ?", (version_id,)).fetchone()
            self.promote(cx, version, content.header, content.origin, now)
        return _stored(Result.CONFLICT, content, version_id)

    def _note(self, cx: Connection, content: Content, fact: Fact, detail: str, now: int) -> None:
        header, origin = content.header, content.origin
        uids = (header.study_uid, header.series_uid, header.sop_uid)
        party = f"{origin.ae_title}@{origin.address}" if origin.address else origin.ae_title
        custody.note(cx, self._tenant, uids, content.digest, fact, party, detail, now)


def revive(cx: Connection, tenant: str, version: Row, now: int) -> None:
    """Give the dead deliveries of a version whose file had gone another chance: the file is back."""
    cx.execute(
        "UPDATE delivery SET state = 'pending', attempts = 0, not_before = 0, reason = NULL, updated_at = ?"
        " WHERE state = 'dead' AND event_id IN (SELECT id FROM event"
        " WHERE tenant = ? AND study_uid = ? AND series_uid = ? AND version_id = ?)",
        (now, tenant, version["study_uid"], version["series_uid"], version["id"]),
    )


def _stored(result: Result, content: Content, version_id: int) -> Stored:
    header = content.header
    return Stored(
        result=result,
        study_uid=header.study_uid,
        series_uid=header.series_uid,
        sop_uid=header.sop_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=content.transfer_syntax_uid,
        digest=content.digest,
        version_id=version_id,
    )
