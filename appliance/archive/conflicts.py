"""Conflicts: one SOP Instance UID, different bytes. Every version is kept; a person or a policy chooses."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from appliance.archive import custody
from appliance.archive.custody import Fact
from appliance.archive.database import Connection, Database, Row
from appliance.archive.header import read_header
from appliance.archive.index import current_version
from appliance.archive.register import Register
from appliance.archive.settings import ArchiveSettings
from appliance.clock import Clock
from appliance.errors import NotFound
from appliance.model.records import Door, Header, Origin

LISTED = """
SELECT c.id, c.sop_uid, c.policy, c.settled, c.chosen_version, c.created_at, c.settled_at, c.settled_by,
  a.id AS first_version, a.digest AS first_digest, a.source_ae AS first_source_ae,
  a.source_address AS first_source_address, a.received_at AS first_received_at, a.standing AS first_standing,
  a.study_uid AS study_uid, a.series_uid AS series_uid, a.transfer_syntax_uid AS first_transfer_syntax_uid,
  b.id AS further_version, b.digest AS further_digest, b.source_ae AS further_source_ae,
  b.source_address AS further_source_address, b.received_at AS further_received_at, b.standing AS further_standing,
  b.study_uid AS further_study_uid, b.series_uid AS further_series_uid,
  b.transfer_syntax_uid AS further_transfer_syntax_uid, a.deleted_at AS first_deleted_at
FROM conflict c JOIN version a ON a.id = c.first_version JOIN version b ON b.id = c.further_version
WHERE c.tenant = :tenant
"""


class Conflicts:
    """Lists and settles the conflicts of one tenant."""

    def __init__(self, settings: ArchiveSettings, database: Database, register: Register, clock: Clock) -> None:
        """Wire the parts of one archive together."""
        self._settings = settings
        self._database = database
        self._register = register
        self._clock = clock

    def list(self, *, settled: bool = False, limit: int = 100, offset: int = 0) -> list[Row]:
        """Return open conflicts, oldest first, with both sources; settled ones too if asked."""
        more = "" if settled else " AND c.settled = 0"
        with self._database.read() as cx:
            return cx.execute(
                f"{LISTED}{more} ORDER BY c.id LIMIT :limit OFFSET :offset",
                {"tenant": self._settings.tenant, "limit": limit, "offset": offset},
            ).fetchall()

    def show(self, number: int) -> Row:
        """Return one conflict. Raises NotFound."""
        with self._database.read() as cx:
            row: Row | None = cx.execute(
                f"{LISTED} AND c.id = :number", {"tenant": self._settings.tenant, "number": number}
            ).fetchone()
        if row is None:
            raise NotFound(f"there is no conflict {number}", hint="see: appliance conflict list --all")
        return row

    def accept(self, number: int, version: Literal["first", "further"], *, by: str) -> None:
        """Settle a conflict: the chosen version becomes current and, if it was not, is forwarded.

        "first" keeps what is current, which an earlier conflict of the same instance may have
        changed, or leaves a deleted instance deleted. The other version's bytes stay on disk. Durable on
        return; a second call is an error.
        """
        row = self.show(number)
        if version == "first" and row["first_deleted_at"] is not None and self._no_current(row["sop_uid"]):
            with self._database.write() as cx:
                now = self._settle(cx, number, int(row["first_version"]), by)
                self._note(cx, row["first_version"], by, now)
                self._supersede(cx, row)
            return
        chosen = int(row["further_version"]) if version == "further" else self._current(row["sop_uid"])
        header = self._header(chosen)
        with self._database.write() as cx:
            self._apply(cx, row, chosen, header, by, self._settle(cx, number, chosen, by))

    def _settle(self, cx: Connection, number: int, chosen: int, by: str) -> int:
        """Mark a conflict as settled; return when. Raises NotFound when somebody else was first."""
        now = self._clock.now()
        settled = cx.execute(
            "UPDATE conflict SET settled = 1, chosen_version = ?, settled_at = ?, settled_by = ?"
            " WHERE id = ? AND settled = 0",
            (chosen, now, by, number),
        ).rowcount
        if not settled:
            raise NotFound(f"conflict {number} is settled already", hint=f"see: appliance conflict show {number}")
        return now

    def _no_current(self, sop_uid: str) -> bool:
        with self._database.read() as cx:
            return current_version(cx, self._settings.tenant, sop_uid) is None

    def _current(self, sop_uid: str) -> int:
        with self._database.read() as cx:
            current = current_version(cx, self._settings.tenant, sop_uid)
        if current is None:
            raise NotFound(f"instance {sop_uid} has no current version", hint="run: appliance fsck --repair")
        return int(current["id"])

    def _apply(self, cx: Connection, row: Row, chosen: int, header: Header | None, by: str, now: int) -> None:
        version = self._note(cx, chosen, by, now)
        if version["standing"] != "current" and header is not None:
            origin = Origin(Door(version["door"]), version["source_ae"], version["source_address"])
            self._register.promote(cx, version, header, origin, now)
        self._supersede(cx, row)

    def _note(self, cx: Connection, version_id: int, by: str, now: int) -> Row:
        """Write the custody line of a choice; return the row of the chosen version."""
        version: Row = cx.execute("SELECT * FROM version WHERE id = ?", (version_id,)).fetchone()
        uids = (version["study_uid"], version["series_uid"], version["sop_uid"])
        custody.note(cx, self._settings.tenant, uids, version["digest"], Fact.ACCEPTED, by, "", now)
        return version

    def _supersede(self, cx: Connection, row: Row) -> None:
        cx.execute(
            "UPDATE version SET standing = 'superseded' WHERE standing = 'contested' AND id IN (?, ?)",
            (row["first_version"], row["further_version"]),
        )

    def _header(self, version_id: int) -> Header | None:
        """Return the header of a version that is to become current, None for one that is; that may be evicted."""
        with self._database.read() as cx:
            row = cx.execute("SELECT * FROM version WHERE id = ?", (version_id,)).fetchone()
        return None if row["standing"] == "current" else version_header(self._settings, row)


def version_header(settings: ArchiveSettings, version: Row) -> Header:
    """Read the header of a stored version from its file. Raises NotFound when the file is not here."""
    if version["blob_path"] is None:
        raise NotFound(f"the bytes of version {version['id']} are not on this box", hint="have it sent again")
    path: Path = settings.root / version["blob_path"]
    with path.open("rb") as file:
        return read_header(
            file,
            version["blob_offset"],
            version["blob_length"],
            version["transfer_syntax_uid"],
            assumed_charset=version["assumed_charset"] or "",
            max_nesting=settings.max_nesting,
            max_inflated=settings.max_inflated_bytes,
        )
