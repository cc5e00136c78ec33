"""Receipts: what a receiver has confirmed to its sites, in an order that each site can follow by a cursor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from appliance.archive.committer import Committer
from appliance.archive.database import Connection, Database, Row
from appliance.clock import Clock
from appliance.model.receipts import BYTES_CONFIRMED, Receipt
from appliance.model.records import Stored

# A repeat takes the place of what was said before under a new number, so that who asks again hears it again.
# The numbers never go back: AUTOINCREMENT, and one writer at a time, so that their order is that of the commits.
ISSUE = """
INSERT OR REPLACE INTO receipt
  (site, tenant, level, study_uid, series_uid, sop_uid, digest, transfer_syntax_uid, revision, at)
VALUES (:site, :tenant, :level, :study_uid, :series_uid, :sop_uid, :digest, :transfer_syntax_uid, :revision, :at)
"""

# An old record that was loaded once more must not make a series' confirmation older than it is.
NEWER = """
SELECT 1 FROM receipt WHERE site = :site AND tenant = :tenant AND level = :level AND series_uid = :series_uid
  AND sop_uid = :sop_uid AND digest = :digest AND transfer_syntax_uid = :transfer_syntax_uid AND revision > :revision
"""

# By what it is, not by its row: an upload that ended weeks ago is asked for by its labels.
HELD = """
SELECT 1 FROM version WHERE tenant = :tenant AND sop_uid = :sop_uid AND digest = :digest
  AND transfer_syntax_uid = :transfer_syntax_uid AND study_uid = :study_uid AND series_uid = :series_uid
  AND blob_path IS NOT NULL AND deleted_at IS NULL
"""

PAGE = "SELECT * FROM receipt WHERE site = ? AND tenant = ? AND id > ? ORDER BY id LIMIT ?"

NEWEST = "SELECT id FROM receipt WHERE site = ? AND tenant = ? ORDER BY id DESC LIMIT 1"

ADVANCE = """
INSERT INTO receipt_source (name, after) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET after = excluded.after WHERE excluded.after > after
"""

Values = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What is confirmed to a site, before it has a number; fields as in `Receipt`."""

    site: str
    tenant: str
    level: str
    study_uid: str
    series_uid: str
    sop_uid: str
    digest: str
    transfer_syntax_uid: str
    revision: int
    at: int

    def values(self) -> Values:
        """Return the columns."""
        return {name: getattr(self, name) for name in self.__slots__}


class Receipts:
    """The receipts of one receiver's home, of all sites."""

    def __init__(self, database: Database, committer: Committer, clock: Clock) -> None:
        """Take the database, what shares its commits, and the clock."""
        self._database = database
        self._committer = committer
        self._clock = clock

    def confirm(self, site: str, tenant: str, stored: Sequence[Stored]) -> None:
        """Confirm to a site that the bytes of instances are durable and indexed here; durable on return.

        For what is known already, too: another box of the tenant may have sent it first. Not for what is known
        and not held: somebody has deleted it here, and its sender must not take us for a keeper of it. Safe to
        repeat. Raises DiskFull, ArchiveFailed.
        """
        if not stored:
            return
        now = self._clock.now()

        def job(cx: Connection) -> None:
            found = (_of_bytes(site, tenant, one, now) for one in stored)
            _issue(cx, (one for one in found if cx.execute(HELD, one.values()).fetchone() is not None))

        self._committer.run(job)

    def take_over(self, source: str, confirmed: Iterable[Confirmed], after: int) -> None:
        """Add what another program has confirmed, and where to go on in its list, in one transaction.

        Durable on return; `after` never goes back. Safe to repeat.
        """
        listed = list(confirmed)

        def job(cx: Connection) -> None:
            _issue(cx, listed)
            cx.execute(ADVANCE, (source, after))

        self._committer.run(job)

    def start_over(self, source: str) -> None:
        """Take a source's list over from its beginning: it is not the list it was. Durable on return."""
        self._committer.run(lambda cx: cx.execute("DELETE FROM receipt_source WHERE name = ?", (source,)).rowcount)

    def cursor(self, source: str) -> int:
        """Return how far the list of a source has been taken over, 0 at first."""
        with self._database.read() as cx:
            row = cx.execute("SELECT after FROM receipt_source WHERE name = ?", (source,)).fetchone()
        return int(row[0]) if row else 0

    def page(self, site: str, tenant: str, after: int, limit: int) -> list[Receipt]:
        """Return a site's receipts with numbers above `after`, in their order, at most `limit`."""
        with self._database.read() as cx:
            return [_receipt(row) for row in cx.execute(PAGE, (site, tenant, after, limit)).fetchall()]

    def newest(self, site: str, tenant: str) -> int:
        """Return the highest number ever given to a site, 0 for none: it falls only with a restore of this home."""
        with self._database.read() as cx:
            row = cx.execute(NEWEST, (site, tenant)).fetchone()
        return int(row[0]) if row else 0

    def count(self) -> int:
        """Return how many receipts have ever been issued, repeats included."""
        with self._database.read() as cx:
            row = cx.execute("SELECT seq FROM sqlite_sequence WHERE name = 'receipt'").fetchone()
        return int(row[0]) if row else 0


def _of_bytes(site: str, tenant: str, stored: Stored, now: int) -> Confirmed:
    uids = (stored.study_uid, stored.series_uid, stored.sop_uid)
    return Confirmed(site, tenant, BYTES_CONFIRMED, *uids, stored.digest, stored.transfer_syntax_uid, 0, now)


def _issue(cx: Connection, confirmed: Iterable[Confirmed]) -> None:
    for one in confirmed:
        values = one.values()
        if cx.execute(NEWER, values).fetchone() is None:
            cx.execute(ISSUE, values)


def _receipt(row: Row) -> Receipt:
    return Receipt(**{name: row[name] for name in Receipt.__slots__})
