"""Retention: which studies give up their bytes, in which order, until the disk budget holds.

The study that nobody has looked at for longest goes first, and of a study everything that may go. What
may go is decided object by object (evictable); without a limit in the policy nothing ever does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from appliance.archive.database import Database
from appliance.archive.eviction import DAY, Evicted, Evictor, Measure
from appliance.archive.proofs import Proofs
from appliance.archive.removal import Remover
from appliance.archive.reserve import Disk, Reserve
from appliance.archive.settings import ArchiveSettings
from appliance.clock import Clock
from appliance.errors import DiskFull

# A bound on the work of one look: studies of which nothing may go are passed over one by one.
MOST_STUDIES = 20_000

HELD = "SELECT coalesce(sum(file_size), 0), count(*) FROM version WHERE tenant = ? AND blob_path IS NOT NULL"

# The last use of a study is its last arrival or view, whichever is later.
ORDER = """
SELECT s.study_uid, max(s.updated_at, coalesce(u.viewed_at, 0)) AS used_at
FROM study s LEFT JOIN study_use u ON u.tenant = s.tenant AND u.study_uid = s.study_uid
WHERE s.tenant = :tenant AND (:all OR u.pinned_at IS NULL)
AND EXISTS (SELECT 1 FROM version v WHERE v.tenant = s.tenant AND v.study_uid = s.study_uid
  AND v.blob_path IS NOT NULL AND (:all OR EXISTS (SELECT 1 FROM confirmation c WHERE c.version_id = v.id)))
ORDER BY used_at, s.received_at, s.study_uid LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A study in the order of eviction; `used_at` is microseconds since epoch."""

    study_uid: str
    used_at: int


@dataclass(slots=True)
class Run:
    """What one run did, or would do.

    `wanted_bytes` were to go so that the limits hold, `short_bytes` of them could not. `refreshed`
    deliveries are to be read back, so that a later run may let them go.
    """

    wanted_bytes: int = 0
    objects: int = 0
    bytes: int = 0
    refreshed: int = 0
    studies: list[str] = field(default_factory=list)

    @property
    def short_bytes(self) -> int:
        """Bytes that should have gone and did not."""
        return max(0, self.wanted_bytes - self.bytes)

    def add(self, study_uid: str, gone: Evicted) -> None:
        """Count what went of a study."""
        if gone.objects:
            self.objects += gone.objects
            self.bytes += gone.bytes
            self.studies.append(study_uid)


@dataclass(slots=True)
class Outlook:
    """How much is held, how much of it could go now, and how many objects each guard keeps."""

    held_objects: int = 0
    held_bytes: int = 0
    evictable_objects: int = 0
    evictable_bytes: int = 0
    kept: dict[str, int] = field(default_factory=dict)

    def add(self, measure: Measure) -> None:
        """Count a study."""
        self.evictable_objects += measure.evictable_objects
        self.evictable_bytes += measure.evictable_bytes
        for name, count in (measure.kept or {}).items():
            self.kept[name] = self.kept.get(name, 0) + count


class Retention:
    """Keeps one tenant's archive within its policy. Safe to use from several processes."""

    def __init__(self, settings: ArchiveSettings, database: Database, clock: Clock) -> None:
        """Take the settings (policy and limits), the database and the clock."""
        self.policy = settings.retention
        self._tenant = settings.tenant
        self._database = database
        self._clock = clock
        self._reserve = Reserve(settings.home, settings.reserve_bytes)
        self._evictor = Evictor(database, settings.tenant, Remover(settings, database), clock)
        self._proofs = Proofs(database, settings.tenant, settings.root, clock)

    def run(self, *, dry: bool = False, rest: Callable[[], bool] = lambda: False) -> Run:
        """Evict until the limits hold; `dry` only says what would go. Between two studies True from `rest` ends it.

        Safe to repeat and to interrupt. Raises ArchiveFailed, DiskFull, Busy.
        """
        done = Run(self._excess())
        if not self.policy.active:
            return done
        aged = self._aged_before()
        for one in self.candidates():
            over = done.bytes < done.wanted_bytes
            if (not over and one.used_at >= aged) or rest():
                break
            done.add(one.study_uid, self._evict(one.study_uid, dry=dry))
        if not dry:
            self._refresh(done, aged, rest)
        return done

    def make_room(self, size: int, *, spare: str = "") -> None:
        """See to it that `size` bytes fit in above the reserve, evicting others than the study `spare`.

        Raises DiskFull when they do not, ArchiveFailed, Busy.
        """
        if self._fits(size):
            return
        for one in self.candidates() if self.policy.active else ():
            if one.study_uid == spare or not self._evict(one.study_uid, dry=False).objects:
                continue
            if self._fits(size):
                return
        raise DiskFull("there is no room to fetch these images back to", hint="free some space on the archive's disk")

    def outlook(self, *, rest: Callable[[], bool] = lambda: False) -> Outlook:
        """Look at everything that is held. Without a limit nothing may go; True from `rest` ends it early."""
        with self._database.read() as cx:
            row = cx.execute(HELD, (self._tenant,)).fetchone()
        found = Outlook(held_bytes=int(row[0]), held_objects=int(row[1]))
        if self.policy.active:
            for one in self.candidates(every=True):
                if rest():
                    break
                found.add(self._evictor.measure(one.study_uid, self.policy.keep_days))
        return found

    def candidates(self, *, every: bool = False) -> Iterator[Candidate]:
        """Yield the studies of which something is held, the least recently used first, MOST_STUDIES at most.

        Without `every` those are left out that are pinned, or of which nobody has confirmed anything.
        """
        with self._database.read() as cx:
            rows = cx.execute(ORDER, {"tenant": self._tenant, "all": every, "most": MOST_STUDIES}).fetchall()
        return (Candidate(row["study_uid"], row["used_at"]) for row in rows)

    def disk(self) -> Disk:
        """Measure the disk now."""
        return self._reserve.disk()

    def _evict(self, study_uid: str, *, dry: bool) -> Evicted:
        if not dry:
            return self._evictor.evict(study_uid, self.policy.keep_days)
        found = self._evictor.measure(study_uid, self.policy.keep_days)
        return Evicted(found.evictable_objects, found.evictable_bytes)

    def _refresh(self, done: Run, aged: int, rest: Callable[[], bool]) -> None:
        """Have read back anew what only an old read-back keeps, as much as is still wanted."""
        expected = done.bytes
        for one in self.candidates():
            if (expected >= done.wanted_bytes and one.used_at >= aged) or rest():
                return
            stale = self._evictor.stale(one.study_uid, self.policy.keep_days)
            if stale:
                expected += sum(size for _, size in stale)
                versions = [version for version, _ in stale]
                done.refreshed += self._proofs.refresh(versions, self._clock.now() - DAY)

    def _excess(self) -> int:
        """Return how many bytes the archive has too many."""
        policy, excess = self.policy, 0
        if policy.max_bytes is not None:
            with self._database.read() as cx:
                excess = int(cx.execute(HELD, (self._tenant,)).fetchone()[0]) - policy.max_bytes
        if policy.min_free_bytes is not None:
            excess = max(excess, policy.min_free_bytes - self._reserve.disk().free_bytes)
        return max(0, excess)

    def _aged_before(self) -> int:
        days = self.policy.max_age_days
        return 0 if days is None else self._clock.now() - round(days * DAY)

    def _fits(self, size: int) -> bool:
        disk = self._reserve.disk()
        return disk.free_bytes - size > disk.reserve_bytes
