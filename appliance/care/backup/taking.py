"""Taking a snapshot while the rooms run.

The databases are copied first, then the files that the copy names. What was acknowledged before the copy is in the
snapshot, bytes and rows. Meanwhile retention may let go of objects whose bytes are proven to be elsewhere: the copy
is told of it as the living database was. What a person deletes, or a repair moves, makes another round: databases
anew, and of the files only the difference. The marker is written last, and only then gets the directory its name.
A run that is killed leaves a directory that ends with .partial; the next one goes on from what is whole in it.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance import __version__
from appliance.access.book import FILE as ACCESS
from appliance.archive import migrations
from appliance.archive.backup_record import Record, write_record
from appliance.archive.database import Database, damage, duplicate
from appliance.archive.files import FULL_ERRORS, DirectoryTree, as_archive_error, fsync_directory
from appliance.archive.settings import ArchiveSettings
from appliance.care.backup import configuration, copying, inventory, manifest, marker, shelf
from appliance.care.backup.configuration import Found
from appliance.care.backup.gathering import COPYING, OWNER_ONLY, Gathered, Gatherer, Step
from appliance.care.backup.manifest import CONFIGURATION, Entry, Journal
from appliance.care.backup.marker import Marker, Owner
from appliance.care.backup.shelf import Snapshot
from appliance.clock import Clock, SystemClock
from appliance.errors import ArchiveFailed, ConfigurationError
from appliance.failpoints import failpoint

INDEX: Final = "index.db"
ROUNDS: Final = 3
# What a group looks like that is not mapped into a service's own user namespace (PrivateUsers=).
UNMAPPED: Final = 65534
# What this user may not read is taken for a secret.
FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM})
CHANGING: Final = "changed again and again while it was to be copied; run the backup once more"


@dataclass(frozen=True, slots=True)
class Order:
    """What to copy, and where to. `secrets` are files that the settings name as such; `with_secrets` copies them, too.

    `full` copies every file anew instead of linking what has not changed. `progress` makes the one who is told of
    files, from how many there are. `opened` opens a file of the configuration, which may take other rights than the
    home does.
    """

    layout: ArchiveSettings
    directory: Path
    configuration: tuple[Found, ...] = ()
    secrets: frozenset[Path] = frozenset()
    with_secrets: bool = False
    full: bool = False
    progress: Callable[[int], Step] = field(default=lambda _: lambda _: None)
    opened: Callable[[Path], int] = copying.opened


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot as it was taken, the secrets that were left out, and what pruning has removed."""

    path: Path
    marker: Marker
    kept_back: int
    pruned: tuple[str, ...] = ()


def take(order: Order, clock: Clock | None = None, *, keep: int | None = None, keep_days: float | None = None) -> Taken:
    """Take a snapshot; durable on return. Older ones go by `keep` and `keep_days`, and only if this one has no fault.

    Faults (lost or damaged files) are in the marker; everything else is in the snapshot all the same. Raises
    AlreadyRunning, ArchiveError, DiskFull; what is copied by then is taken up by the next run.
    """
    clock = clock or SystemClock()
    try:
        order.directory.mkdir(mode=shelf.OWNER_ONLY, parents=True, exist_ok=True)
        with shelf.locked(order.directory, alone=True):
            shelf.sweep(order.directory)
            path, facts, kept_back = _Taking(order, clock).run()
            pruned = [] if facts.faults else shelf.prune(order.directory, facts.began_at, keep, keep_days)
    except OSError as error:
        if error.errno not in FULL_ERRORS:
            raise
        raise as_archive_error(error, "take the backup") from error
    write_record(order.layout.home, Record.of(path, facts.began_at, facts.ended_at, len(facts.faults), facts.bytes))
    return Taken(path, facts, kept_back, tuple(pruned))


class _Taking:
    """One run."""

    def __init__(self, order: Order, clock: Clock) -> None:
        self._order, self._clock = order, clock
        self._home = order.layout.home
        self._began = clock.now()
        self._kept_back = 0
        whole = shelf.snapshots(order.directory)
        _refuse_anothers(whole, order)
        self._before = whole[-1].path if whole and not order.full else None
        self._partial = self._begin()

    def run(self) -> tuple[Path, Marker, int]:
        """Copy everything; return the whole snapshot's path and marker, and how many secrets were left out."""
        live = Database(self._order.layout.database)
        try:
            gathered, journal_path = self._rounds(live), self._partial / manifest.NAME
        finally:
            live.close()
        (self._partial / manifest.BEFORE).unlink(missing_ok=True)
        (self._partial / COPYING).unlink(missing_ok=True)
        failpoint("backup.before_marker")
        facts = self._marker(gathered, marker.sha256_of(journal_path))
        marker.write(self._partial, facts)
        failpoint("backup.after_marker")
        path = self._partial.with_name(self._partial.name.removesuffix(shelf.PARTIAL))
        self._partial.rename(path)
        fsync_directory(path.parent)
        return path, facts, self._kept_back

    def _begin(self) -> Path:
        """Make the directory of this run, from what an interrupted one has left where there is one."""
        directory = self._order.directory
        partial = directory / f"{shelf.next_name(directory, self._began)}{shelf.PARTIAL}"
        left = shelf.unfinished(directory)
        for one in left[: None if self._order.full else -1]:
            shelf.discard(one)
        if left and not self._order.full:
            left[-1].rename(partial)
            (partial / marker.NAME).unlink(missing_ok=True)
        else:
            partial.mkdir(mode=shelf.OWNER_ONLY)
        fsync_directory(directory)
        return partial

    def _rounds(self, live: Database) -> Gathered:
        """Copy databases and files until they agree, at most ROUNDS times; then everything else."""
        for number in range(1, ROUNDS + 1):
            manifest.set_aside(self._partial)
            began = self._copy_databases(live)
            step = self._order.progress(inventory.count(self._partial / INDEX))
            with Journal(self._partial / manifest.NAME) as journal:
                gathered = Gatherer(self._home, live, self._partial, self._before, step).walk(journal)
                if not gathered.changed:
                    gathered.changed += inventory.let_go(live, self._partial / INDEX, gathered.evicted, began)
                if gathered.changed and number < ROUNDS:
                    continue
                gathered.faults += [(path, CHANGING) for path in gathered.changed]
                self._finish(journal, gathered)
            break
        return gathered

    def _copy_databases(self, live: Database) -> int:
        """Copy what there is of databases; return the moment before, in microseconds since 1970."""
        self._began = self._clock.now()
        duplicate(live, self._partial / INDEX)
        (self._partial / ACCESS).unlink(missing_ok=True)
        if (self._home / ACCESS).exists():
            access = Database(self._home / ACCESS)
            try:
                duplicate(access, self._partial / ACCESS)
            finally:
                access.close()
        for name in self._databases():
            wrong = damage(self._partial / name)
            if wrong:
                raise ArchiveFailed(f"{name} is damaged: {wrong[0]}", hint="rebuild it: see docs/operations.md")
        failpoint("backup.after_databases")
        return self._began

    def _databases(self) -> list[str]:
        return [name for name in (INDEX, ACCESS) if (self._partial / name).exists()]

    def _finish(self, journal: Journal, gathered: Gathered) -> None:
        """Put databases and configuration into the manifest, which is durable then."""
        for entry in (*map(self._database_entry, self._databases()), *self._configuration(gathered)):
            journal.add(entry)
            gathered.files += 1
            gathered.bytes += entry.size
        journal.sync()

    def _database_entry(self, name: str) -> Entry:
        path = self._partial / name
        found = copying.read(path)
        mode = (self._home / name).stat().st_mode & 0o7777
        return Entry(name, found.size, found.sha256, "", mode)

    def _configuration(self, gathered: Gathered) -> Iterator[Entry]:
        tree = DirectoryTree(self._partial)
        for found in self._order.configuration:
            name = f"{CONFIGURATION}/{found.name}"
            try:
                entry = self._configured(found, name, tree)
            except OSError as error:
                if error.errno in FORBIDDEN and not self._order.with_secrets:
                    self._kept_back += 1
                else:
                    gathered.faults.append((name, f"cannot be read: {error.strerror}"))
                continue
            if entry is not None:
                yield entry

    def _configured(self, found: Found, name: str, tree: DirectoryTree) -> Entry | None:
        """Copy a file of the configuration; durable on return. None for a secret, which stays where it is."""
        order, target = self._order, self._partial / name
        reading = order.opened(found.path)
        try:
            if not order.with_secrets and configuration.is_secret(found, order.secrets, reading):
                self._kept_back += 1
                return None
            tree.ensure(target.parent)
            copied = copying.copy_open(reading, target, mode=OWNER_ONLY)
            fsync_directory(target.parent)
            return Entry(name, copied.size, copied.sha256, "", os.fstat(reading).st_mode & 0o7777)
        finally:
            os.close(reading)

    def _marker(self, gathered: Gathered, sha256: str) -> Marker:
        layout = self._order.layout
        schema = migrations.frozen_state(self._partial / INDEX)
        return Marker(
            version=__version__, site=layout.site, tenant=layout.tenant, schema=schema[0], compatible_from=schema[1],
            began_at=self._began, ended_at=self._clock.now(), files=gathered.files, bytes=gathered.bytes,
            objects=gathered.objects, linked=gathered.linked, evicted=len(gathered.evicted),
            secrets=self._order.with_secrets, manifest_sha256=sha256, faults=tuple(gathered.faults),
            owners=dict(_owners(self._home)),
        )  # fmt: skip


def _refuse_anothers(whole: list[Snapshot], order: Order) -> None:
    """Keep two boxes from removing each other's snapshots."""
    ours = (order.layout.tenant, order.layout.site)
    for one in whole:
        if (one.marker.tenant, one.marker.site) != ours:
            raise ConfigurationError(
                f"{order.directory} holds snapshots of tenant {one.marker.tenant}, site {one.marker.site}",
                hint="name a directory of its own for each box",
            )


def _owners(home: Path) -> Iterator[tuple[str, Owner]]:
    """Yield whose the home and the directories of its files are: a web server may belong to the group of some."""
    for name in (".", manifest.OBJECTS, manifest.QUARANTINE, marker.SPOOL):
        try:
            found = os.stat(home / name)
        except FileNotFoundError:
            continue
        yield name, Owner(_name_of_user(found.st_uid), _name_of_group(found.st_gid), found.st_mode & 0o7777)


def _name_of_user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _name_of_group(number: int) -> str:
    if number == UNMAPPED:
        return ""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
