"""Who listens on the ports of the configuration: the kernel's own table, and whose socket it is (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Verdict, fault, ok, skipped, warning

LISTEN = "0A"
START = "start it: systemctl start appliance.target, or appliance run"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that holds a listening socket."""

    pid: int
    name: str


def ports(box: Box) -> Sequence[str]:
    """Name the doors with their ports."""
    scp, web = box.settings.scp, box.settings.web
    plain = [f"scp:{port}" for port in (scp.port, *getattr(scp, "additional_ports", ()))]
    tls = [] if scp.tls_port is None else [f"scp:{scp.tls_port}"]
    return (*plain, *tls, *([] if getattr(web, "socket", None) else [f"web:{web.port}"]))


def port(box: Box, subject: str) -> Verdict:
    """Say whether a port is its room's, nobody's, or somebody else's."""
    room, _, number = subject.partition(":")
    sockets = listening(box.place("/proc"), int(number))
    published = box.rooms().get(room, {})
    alive, pid = bool(published.get("alive")), published.get("pid")
    if not sockets:
        if alive:
            return fault(
                f"room {room} is alive, but nobody listens on port {number}",
                f"run: systemctl restart dicom-edge-{room}",
            )
        return warning(f"nobody listens on port {number}, and room {room} does not run", START)
    owners = owners_of(box.place("/proc"), sockets)
    if any(owner.pid == pid for owner in owners) or (alive and any(owner.pid == 1 for owner in owners)):
        return ok(f"room {room} listens")
    if not owners:
        return _unseen(box, room, number, alive=alive)
    if any(owner.pid == 1 for owner in owners):  # beside it, one that starts or ends
        return warning(f"systemd listens on port {number}, and room {room} does not run", START)
    others = ", ".join(f"{owner.name} (process {owner.pid})" for owner in owners)
    mend = f"end that program, or give the box another port ({room}.port)"
    return fault(f"port {number} is taken by {others}", mend)


def _unseen(box: Box, room: str, number: str, *, alive: bool) -> Verdict:
    if alive:
        return skipped(f"somebody listens on port {number}, and room {room} is alive; root sees whether it is the same")
    if box.is_root:
        return warning(f"port {number} is taken from outside this namespace, and room {room} does not run", START)
    mend = "run the doctor as root to see who it is; then end that program, or choose another port"
    return fault(f"port {number} is taken by a process of another user, and room {room} does not run", mend)


def listening(proc: Path, number: int) -> frozenset[str]:
    """Return the inodes of the sockets that listen on a TCP port."""
    return frozenset(inode for at, inode in _table(proc) if at == number)


def _table(proc: Path) -> Iterator[tuple[int, str]]:
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTEN:
                yield int(fields[1].rpartition(":")[2], 16), fields[9]


def owners_of(proc: Path, inodes: frozenset[str]) -> list[Owner]:
    """Return the processes that hold one of the sockets, as far as this user may see; the lowest number first."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    pids = sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())
    return [Owner(pid, _name(proc / str(pid))) for pid in pids if _holds(proc / str(pid) / "fd", wanted)]


def _holds(folder: Path, wanted: set[str]) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(_link(entry.path) in wanted for entry in entries)
    except OSError:
        return False


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _name(process: Path) -> str:
    """Return the name of a program, never its arguments: they may hold secrets."""
    try:
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program"
