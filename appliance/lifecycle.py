"""Running and ending: one process a room, the wish to stop, the numbers published, the service manager's notices."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import sdnotify

from appliance import __version__
from appliance.errors import AlreadyRunning

STALE_SECONDS = 15.0
MICROSECONDS = 1_000_000
# A write-ahead log of gigabytes on a slow disk is gone through in less.
OPENING_SECONDS = 600.0
# To close what is left after a drain: the archive's locks, the last numbers.
SPARE_SECONDS = 30.0
# The rooms that a box must have to do its work. The monitor is none of them: it only reports.
ESSENTIAL_ROOMS = ("scp", "web", "sync")
MONITOR = "monitor"
_SUFFIX = ".json"
_LOCK_MODE = 0o640


class Stop:
    """The wish that this room ends. Like a threading.Event, and safe to set from a signal's handler.

    An Event is not: its lock may be held by the very thread that the handler interrupts.
    """

    def __init__(self) -> None:
        self._wished = False
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def install(self) -> None:
        """Let SIGTERM and SIGINT set it; main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)

    def set(self) -> None:
        """Wish it, and wake every `wait`. Safe to repeat."""
        if not self._wished:
            self._wished = True
            os.write(self._writer, b"\0")

    def is_set(self) -> bool:
        """Say whether the end is wished."""
        return self._wished

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or for `timeout` seconds; return whether it is set."""
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        poll.poll(None if timeout is None else max(0.0, timeout) * 1000)
        return self._wished

    def fileno(self) -> int:
        """Return a descriptor that is readable once it is set; nobody may read from it."""
        return self._reader

    def close(self) -> None:
        """Give the descriptors back; it must not be used after."""
        os.close(self._reader)
        os.close(self._writer)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self.set()


def publish(runtime: Path, room: str, numbers: Mapping[str, Any]) -> None:
    """Write `numbers` (plain JSON values) to <runtime>/<room>.json, whole or not at all.

    The room's name, version, process id and the time (`at`, microseconds since the epoch, UTC) are added.
    Not durable on purpose: the directory is of this boot. Creates the directory. Raises OSError.
    """
    runtime.mkdir(parents=True, exist_ok=True)
    facts = {**numbers, "room": room, "version": __version__, "pid": os.getpid(), "at": time.time_ns() // 1000}
    target = runtime / (room + _SUFFIX)
    temporary = target.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
    temporary.write_text(json.dumps(facts), encoding="utf-8")
    temporary.replace(target)


def withdraw(runtime: Path, room: str) -> None:
    """Take the room's numbers back: it has ended in order. Safe to repeat."""
    (runtime / (room + _SUFFIX)).unlink(missing_ok=True)


def read_rooms(runtime: Path) -> dict[str, dict[str, Any]]:
    """Return what each room published last, by its name.

    Two facts are added: `age_seconds`, and `alive`: its process exists and spoke in the last 15 s.
    Files that cannot be read are passed over.
    """
    rooms = {}
    for path in sorted(runtime.glob("*" + _SUFFIX)):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            age = max(0.0, time.time() - facts["at"] / MICROSECONDS)
            alive = age < STALE_SECONDS and _exists(facts["pid"])
        except (OSError, ValueError, TypeError, KeyError):
            continue
        rooms[path.stem] = {**facts, "age_seconds": round(age, 3), "alive": alive}
    return rooms


def open_locked(path: Path) -> int:
    """Return a descriptor of `path` (made if missing) that holds its exclusive lock; closing frees it.

    The kernel frees it when its holder dies, however it dies. Raises BlockingIOError when another
    process holds it, OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _LOCK_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def sole_process(home: Path, room: str) -> Iterator[None]:
    """Be the one process of `room` on this home while inside, by <home>/<room>.lock. Raises AlreadyRunning."""
    try:
        descriptor = open_locked(home / f"{room}.lock")
    except BlockingIOError as error:
        raise AlreadyRunning(
            f"another process serves {home} already (appliance {room})",
            hint="stop it first, or name another home by --home; `appliance status` shows the process ids",
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)


class Notices:
    """What systemd is told of this process; without a service manager nothing is sent."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        # Asked here, because the library would leave a socket unclosed.
        self._notifier = sdnotify.SystemdNotifier() if environ.get("NOTIFY_SOCKET") else None

    def opening(self) -> None:
        """The room opens the archive; after a crash the database is recovered first, which may take its time."""
        self.extend(OPENING_SECONDS)
        self.status("opening the archive")

    def draining(self, seconds: float) -> None:
        """The room takes nothing new, and has `seconds` for what is under way."""
        self.stopping()
        self.extend(seconds + SPARE_SECONDS)
        self.status("finishing what is under way")

    @property
    def heard(self) -> bool:
        """Whether a service manager listens."""
        return self._notifier is not None

    def ready(self) -> None:
        """The room serves now."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """The room drains and will end."""
        self._tell("STOPPING=1")

    def watchdog(self) -> None:
        """The room is alive; to be sent at least twice per WatchdogSec."""
        self._tell("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Starting or stopping goes on, and may take so long from now; then another word is due, or the end of it."""
        self._tell(f"EXTEND_TIMEOUT_USEC={round(seconds * MICROSECONDS)}")

    def status(self, sentence: str) -> None:
        """Say in one plain line what the room is at; `systemctl status` shows it. No patient data."""
        self._tell(f"STATUS={sentence}")

    def close(self) -> None:
        """Close the socket to the service manager."""
        if self._notifier is not None and self._notifier.socket is not None:
            self._notifier.socket.close()

    def _tell(self, state: str) -> None:
        if self._notifier is not None:
            self._notifier.notify(state)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
