"""The order of system calls behind one stored object: read from strace, judged by a pure function."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import wait_until

TRACED = "openat,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,write,pwrite64,pwritev,sendto,sendmsg,writev"

_LINE = re.compile(r"^(?:\[pid\s+)?(?P<pid>\d+)?\]?\s*(?P<name>\w+)\((?P<rest>.*)$")
_DESCRIPTOR = re.compile(r"^\d+<(?P<what>[^>]*)>")
_PATHS = re.compile(r'"(?P<path>[^"]*)"')


@dataclass(frozen=True)
class Call:
    """One completed system call: its name and the path or socket it acted on (the target, for a rename)."""

    name: str
    subject: str
    failed: bool = False


@contextmanager
def traced(pid: int, output: Path) -> Iterator[None]:
    """Trace a process and all its threads while the block runs."""
    with _strace(pid, "-y", "-s", "16", "-e", f"trace={TRACED}", "-o", str(output)):
        yield


@contextmanager
def failing_sync(pid: int, path: Path) -> Iterator[None]:
    """Make the kernel answer EIO to every sync of one file by a process while the block runs."""
    syncs = "fsync,fdatasync"
    with _strace(pid, "-P", str(path), "-e", f"trace={syncs}", "-e", f"inject={syncs}:error=EIO", "-o", "/dev/null"):
        yield


@contextmanager
def _strace(pid: int, *options: str) -> Iterator[None]:
    command = ["strace", "-f", *options, "-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: _attached(pid), 20)
        yield
    finally:
        tracer.terminate()
        tracer.wait(20)
        assert tracer.stderr is not None
        tracer.stderr.close()


def _attached(pid: int) -> bool:
    """Whether every thread there is now is traced; those that end meanwhile do not count."""
    try:
        statuses = [(task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return all("TracerPid:\t0\n" not in status for status in statuses)


def calls(trace: str) -> list[Call]:
    """The calls of a trace, in order of completion; a call that another thread interrupted counts when it ends."""
    unfinished: dict[tuple[str, str], str] = {}
    found = []
    for line in trace.splitlines():
        pid, _, text = line.partition(" ")
        text = text.strip()
        if text.endswith("<unfinished ...>"):
            name = text.partition("(")[0]
            unfinished[pid, name] = text.removesuffix("<unfinished ...>")
            # An answer counts from the moment its bytes may leave.
            if name in SENDING:
                found.append(_call(text))
            continue
        if text.startswith("<..."):
            name = text.split()[1]
            if name in SENDING:
                continue
            text = unfinished.pop((pid, name), f"{name}(") + text.partition("resumed>")[2]
        if _LINE.match(text):
            found.append(_call(text))
    return found


# A-ASSOCIATE-AC is all that may be sent before an object is in place.
ACCEPTANCES = 1
SENDING = frozenset({"sendto", "sendmsg", "writev"})


def _call(text: str) -> Call:
    name, _, rest = text.partition("(")
    descriptor = _DESCRIPTOR.match(rest)
    paths = _PATHS.findall(rest)
    subject = paths[-1] if name.startswith("rename") and paths else (descriptor["what"] if descriptor else "")
    if not subject and paths:
        subject = paths[0]
    if name.startswith("mkdir") and paths:
        subject = paths[0]
    return Call(name, subject, failed=" = -1 " in text)


def violations(trace: Sequence[Call], directories: Sequence[str], final: str) -> list[str]:
    """What an acknowledged store failed to do, in words; nothing when every step came in its order.

    `directories` are those whose entries changed or may be new, from the root down; `final` is the
    object's path. The answer is the first thing sent to a socket after the rename.
    """
    at = _Positions(trace)
    renamed = at.first("rename", final)
    if renamed is None:
        return ["the file was never renamed into place"]
    answer = at.answer_after(renamed)
    if answer is None:
        return ["no answer was sent after the rename"]
    faults = []
    if len(at.answers_before(renamed)) > ACCEPTANCES:
        faults.append("something was sent before the rename that is not the acceptance of the association")
    if not at.between(("fsync", "fdatasync"), lambda s: "/spool/" in s, 0, renamed):
        faults.append("the file was not fsynced before the rename")
    last = directories[-1]
    for directory in directories:
        start = renamed if directory == last else 0
        if not at.between(("fsync",), lambda s, d=directory: s == d, start, answer):
            faults.append(f"not fsynced in time: {directory}")
    log = at.between(("pwrite64",), lambda s: s.endswith("-wal"), renamed, answer)
    if not log:
        faults.append("nothing was written to the log of the database between rename and answer")
    elif not at.between(("fdatasync", "fsync"), lambda s: s.endswith("-wal"), log[-1], answer):
        faults.append("the log of the database was not synced between its last write and the answer")
    return faults


def _sent(call: Call) -> bool:
    return call.name in SENDING and ("TCP" in call.subject or "socket" in call.subject)


class _Positions:
    def __init__(self, trace: Sequence[Call]) -> None:
        self._trace = trace

    def first(self, prefix: str, subject: str) -> int | None:
        for number, call in enumerate(self._trace):
            if call.name.startswith(prefix) and call.subject == subject and not call.failed:
                return number
        return None

    def answers_before(self, end: int) -> list[int]:
        return [number for number, call in enumerate(self._trace[:end]) if _sent(call)]

    def answer_after(self, start: int) -> int | None:
        for number, call in enumerate(self._trace[start:], start):
            if _sent(call):
                return number
        return None

    def between(self, names: Sequence[str], wanted, start: int, end: int) -> list[int]:  # type: ignore[no-untyped-def]
        return [
            number
            for number, call in enumerate(self._trace)
            if start < number + (start == 0) and number < end and call.name in names
            and wanted(call.subject) and not call.failed
        ]  # fmt: skip
