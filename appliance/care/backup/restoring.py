"""Putting a snapshot back into an empty home: everything is compared on the way, and read again afterwards.

The index comes last, and without it no room starts. A run that is killed leaves a note in the home; the same
command goes on from there, and nothing else takes the home for a good one.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance import places
from appliance.access.book import FILE as ACCESS
from appliance.access.migrations import STEPS as ACCESS_STEPS
from appliance.archive import migrations
from appliance.archive.database import Database, frozen
from appliance.archive.files import (
    DIRECTORY_MODE,
    FULL_ERRORS,
    DirectoryTree,
    as_archive_error,
    fsync,
    fsync_directory,
)
from appliance.archive.restoration import NOTE
from appliance.care.backup import copying, manifest
from appliance.care.backup.gathering import Step
from appliance.care.backup.manifest import CONFIGURATION, Entry
from appliance.care.backup.marker import SPOOL, Owner
from appliance.care.backup.shelf import Snapshot
from appliance.care.backup.verifying import fault_of, fault_of_manifest
from appliance.clock import Clock, SystemClock
from appliance.errors import ArchiveFailed, ConfigurationError, SchemaMismatch
from appliance.failpoints import failpoint
from appliance.lifecycle import open_locked

INDEX: Final = "index.db"
PASSING: Final = ".restoring"
ROOMS: Final = ("run", "scp", "web", "sync", "monitor", "receiver", "loader")
# What a new file system or a running service may have put into a home that is empty all the same.
HARMLESS: Final = frozenset({"lost+found", "run", NOTE})
# A snapshot may come from anywhere: nothing else of the system gets an owner by it, and nothing a bit that matters.
DIRECTORIES: Final = frozenset({".", manifest.OBJECTS, manifest.QUARANTINE, SPOOL})
# Objects are renamed from the spool into the archive, and are of its group already.
OF_FILES_GROUP: Final = frozenset({manifest.OBJECTS, SPOOL})
DIRECTORY_BITS: Final = 0o2777
FILE_BITS: Final = 0o666
UNPRIVILEGED: Final = -1
ENDED: Final = "DELETE FROM session"


@dataclass(slots=True)
class Restored:
    """What was put back; `wrong` are objects that were not, as (path, what); where the old home lies now."""

    home: Path
    snapshot: str
    files: int = 0
    bytes: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list)
    migrated: tuple[str, ...] = ()
    set_aside: Path | None = None
    foreign_owner: str = ""


def restore(
    snapshot: Snapshot, home: Path, *, force: bool = False, clock: Clock | None = None,
    progress: Callable[[int], Step] = lambda _: lambda _: None,
) -> Restored:  # fmt: skip
    """Put a snapshot into `home`, which is empty, or set aside with `force`; durable on return.

    An object whose copy is damaged is left out and named; a damaged database or manifest is refused. Raises
    SchemaMismatch for a snapshot of a newer program, ConfigurationError for a home that is in use, ArchiveError.
    """
    home = home.resolve()  # a link to a larger disk stays one
    _refuse(snapshot)
    try:
        result = Restored(home, snapshot.name, set_aside=_prepare(snapshot, home, force=force))
        _Restoring(snapshot, home, result, progress(2 * snapshot.marker.files)).run(clock or SystemClock())
    except OSError as error:
        if error.errno not in FULL_ERRORS:
            raise
        raise as_archive_error(error, "restore the backup") from error
    return result


def _refuse(snapshot: Snapshot) -> None:
    """Refuse what would not make a working box, before anything is touched."""
    facts = snapshot.marker
    if facts.compatible_from > migrations.SCHEMA_VERSION:
        raise SchemaMismatch(
            f"the snapshot {snapshot.name} has schema {facts.schema}, made by version {facts.version} of the appliance",
            hint="install that version, or a newer one, and restore again",
        )
    _refuse_newer_access(snapshot)
    wrong = fault_of_manifest(snapshot)
    if wrong:
        raise ArchiveFailed(
            f"the manifest of snapshot {snapshot.name} {wrong}", hint="see: appliance backup list, and take another one"
        )
    for entry in manifest.entries(snapshot.path / manifest.NAME):
        wrong = fault_of(snapshot.path, entry) if entry.path in (INDEX, ACCESS) else ""
        if wrong:
            raise ArchiveFailed(f"{entry.path} of snapshot {snapshot.name}: {wrong}", hint="restore another snapshot")


def _refuse_newer_access(snapshot: Snapshot) -> None:
    if not (snapshot.path / ACCESS).exists():
        return
    with frozen(snapshot.path / ACCESS) as cx:
        version = cx.execute("PRAGMA user_version").fetchone()[0]
    if version > len(ACCESS_STEPS):
        raise SchemaMismatch(
            f"the accounts of snapshot {snapshot.name} have schema {version}, made by a newer version of the appliance",
            hint="install that version, or a newer one, and restore again",
        )


def _prepare(snapshot: Snapshot, home: Path, *, force: bool) -> Path | None:
    """Make the home ready to be filled; return where the old one was set aside."""
    aside = None
    found = _contents(home)
    if found and _begun(home) != snapshot.name:
        if not force:
            raise ConfigurationError(
                f"{home} is not empty", hint="name another by --into, or set this one aside with --force"
            )
        _refuse_while_it_runs(home)
        aside = _aside(home)
        home.rename(aside)
        fsync_directory(home.parent)
    if not home.exists():
        home.mkdir(mode=DIRECTORY_MODE, parents=True)
        fsync_directory(home.parent)
    _note(home, snapshot.name)
    return aside


def _contents(home: Path) -> list[str]:
    if not home.exists():
        return []
    if (home / NOTE).exists():
        return [NOTE]
    return [path.name for path in home.iterdir() if path.name not in HARMLESS]


def _begun(home: Path) -> str:
    """Return the snapshot that an interrupted restoration was putting into the home, or ""."""
    try:
        return str(json.loads((home / NOTE).read_text(encoding="utf-8"))["snapshot"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _note(home: Path, name: str) -> None:
    if _begun(home) == name:
        return
    (home / NOTE).unlink(missing_ok=True)
    with (home / NOTE).open("x", encoding="utf-8") as file:
        json.dump({"snapshot": name}, file)
        file.flush()
        fsync(file.fileno())
    fsync_directory(home)


def _refuse_while_it_runs(home: Path) -> None:
    for room in ROOMS:
        if not (home / f"{room}.lock").exists():
            continue
        try:
            os.close(open_locked(home / f"{room}.lock"))
        except BlockingIOError as error:
            hint = "stop the rooms first: systemctl stop appliance.target"
            raise ConfigurationError(f"{home} is in use (appliance {room})", hint=hint) from error


def _aside(home: Path) -> Path:
    if home.is_mount():
        raise ConfigurationError(
            f"{home} is a mount and cannot be set aside", hint="empty it, or name another by --into"
        )
    for number in range(1, 10_000):
        aside = home.with_name(f"{home.name}.before-{number}")
        if not os.path.lexists(aside):
            return aside
    raise ConfigurationError(f"there are too many old homes beside {home}", hint="remove some of them")


class _Restoring:
    """One run."""

    def __init__(self, snapshot: Snapshot, home: Path, result: Restored, step: Step) -> None:
        self._snapshot, self._home, self._result, self._step = snapshot, home, result, step
        self._owners = {name: one for name, one in snapshot.marker.owners.items() if name in DIRECTORIES}
        self._user = _user(self._owners.get("."), result)
        self._groups = {name: _group(name, owner) for name, owner in self._owners.items()}
        self._filled: Path | None = None

    def run(self, clock: Clock) -> None:
        """Copy, read again, migrate; the index gets its name when all else is in place."""
        self._own_directories()
        tree = DirectoryTree(self._home)
        for entry in self._entries():
            self._put(entry, tree)
        self._leave()
        for entry in self._entries():
            self._look_again(entry)
        self._end_sessions()
        self._result.migrated = migrations.migrate(self._place(INDEX), tenant=self._snapshot.marker.tenant, clock=clock)
        failpoint("restore.before_index")
        self._place(INDEX).rename(self._home / INDEX)
        (self._home / NOTE).unlink()
        fsync_directory(self._home)

    def _entries(self) -> Iterator[Entry]:
        """Everything but the configuration, which is the administrator's to put back."""
        for entry in manifest.entries(self._snapshot.path / manifest.NAME):
            if not entry.path.startswith(f"{CONFIGURATION}/"):
                yield entry

    def _place(self, path: str) -> Path:
        return self._home / (path + PASSING if path == INDEX else path)

    def _put(self, entry: Entry, tree: DirectoryTree) -> None:
        failpoint("restore.before_object")
        self._step(1)
        target = self._place(entry.path)
        if target.parent != self._filled:
            self._leave()
            tree.ensure(target.parent)
            self._filled = target.parent
        if entry.path not in (INDEX, ACCESS) and _has_size(target, entry.size) and not fault_of(self._home, entry):
            return
        passing = self._home / f"copying{PASSING}"
        try:
            found = copying.copy(self._snapshot.path / entry.path, passing, mode=entry.mode)
        except OSError as error:
            self._result.wrong.append((entry.path, error.strerror or "cannot be read"))
            return
        if (found.size, found.sha256) != (entry.size, entry.sha256):
            passing.unlink()
            self._result.wrong.append((entry.path, "its copy is damaged"))
            return
        for beside in ("-wal", "-shm"):  # of a database that an interrupted run had open
            target.with_name(target.name + beside).unlink(missing_ok=True)
        passing.chmod(entry.mode & FILE_BITS)
        self._own(passing, target)
        passing.replace(target)

    def _look_again(self, entry: Entry) -> None:
        """Read what was written from the disk, not from memory."""
        self._step(1)
        if any(entry.path == path for path, _ in self._result.wrong):
            return
        here = Entry(entry.path + PASSING, *_rest(entry)) if entry.path == INDEX else entry
        fault = fault_of(self._home, here)
        if fault and entry.path in (INDEX, ACCESS):
            raise ArchiveFailed(f"{entry.path} was not written as it was read: {fault}", hint="check the disk")
        if fault:
            self._result.wrong.append((entry.path, fault))
            return
        self._result.files += 1
        self._result.bytes += entry.size

    def _end_sessions(self) -> None:
        """Let nobody be logged in by a session that has long been ended elsewhere."""
        if not (self._home / ACCESS).exists():
            return
        access = Database(self._home / ACCESS)
        try:
            with access.write() as cx:
                cx.execute(ENDED)
            access.checkpoint(truncate=True)
        finally:
            access.close()

    def _own_directories(self) -> None:
        for name, owner in self._owners.items():
            directory = self._home / name
            directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            self._give(directory, self._groups[name])
            directory.chmod(owner.mode & DIRECTORY_BITS)
        fsync_directory(self._home)

    def _own(self, path: Path, target: Path) -> None:
        """Give a file or directory to whom the home belongs, and to the group of the directory it goes to."""
        top = target.relative_to(self._home).parts[0]
        self._give(path, self._groups.get(top, self._groups.get(".", -1)))

    def _give(self, path: Path, group: int) -> None:
        if self._user is None:
            return
        try:
            os.chown(path, self._user, group)
        except PermissionError:
            if self._user != UNPRIVILEGED:
                raise  # whoever is not root gives to groups of theirs alone

    def _leave(self) -> None:
        """Make a directory's entries durable, and give the directories their owner."""
        directory, self._filled = self._filled, None
        if directory is None:
            return
        fsync_directory(directory)
        while directory != self._home and directory.parent != self._home:
            self._own(directory, directory)
            directory = directory.parent


def _rest(entry: Entry) -> tuple[int, str, str, int]:
    return entry.size, entry.sha256, entry.digest, entry.mode


def _user(owner: Owner | None, result: Restored) -> int | None:
    """Return the number of the account that the home belonged to; None where there is none of that name.

    UNPRIVILEGED is who runs this, and is not root: what they make is theirs.
    """
    if os.geteuid() != 0:
        return UNPRIVILEGED
    if owner is None:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(owner.user).pw_uid
    result.foreign_owner = owner.user
    return None


def _group(name: str, owner: Owner) -> int:
    """Return a directory's group; the packaged one where the backup could not see whose it was."""
    usual = places.FILES_GROUP if name in OF_FILES_GROUP else places.GROUP
    with suppress(KeyError):
        return grp.getgrnam(owner.group or usual).gr_gid
    return -1


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.lstat().st_size == size
    except OSError:
        return False
