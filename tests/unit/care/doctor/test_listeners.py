"""Whose port is it: told by the kernel's table, and by who holds the socket."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from appliance.care.doctor import listeners
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import State
from tests.unit.care.doctor.boxes import box, mended, put

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: 0100007F:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0\n"
PORT = 11112


def machine(tmp_path: Path, *inodes: int, user: int = 0) -> Box:
    found = box(tmp_path, user=user)
    put(found, "/proc/net/tcp", HEAD + "".join(ROW.format(port=PORT, inode=inode) for inode in inodes))
    put(found, "/proc/net/tcp6", HEAD)
    return found


def process(found: Box, pid: int, name: str, inode: int) -> None:
    put(found, f"/proc/{pid}/comm", f"{name}\n")
    folder = found.place(f"/proc/{pid}/fd")
    folder.mkdir(parents=True)
    (folder / "3").symlink_to(f"socket:[{inode}]")


def alive(found: Box) -> int:
    """The room is this process."""
    run = found.settings.runtime_directory
    run.mkdir(parents=True, exist_ok=True)
    facts = {"room": "scp", "pid": os.getpid(), "at": time.time_ns() // 1000}
    (run / "scp.json").write_text(json.dumps(facts))
    return os.getpid()


def test_a_port_of_nobody(tmp_path: Path) -> None:
    mended(listeners.port(machine(tmp_path), "scp:11112"), State.WARNING, "does not run", "start it")


def test_a_room_that_does_not_listen(tmp_path: Path) -> None:
    found = machine(tmp_path)
    alive(found)
    mended(listeners.port(found, "scp:11112"), State.FAULT, "nobody listens", "systemctl restart")


def test_the_rooms_own_port(tmp_path: Path) -> None:
    found = machine(tmp_path, 77)
    process(found, alive(found), "appliance", 77)
    mended(listeners.port(found, "scp:11112"), State.OK, "room scp listens", "")


def test_a_socket_that_systemd_holds_for_the_room(tmp_path: Path) -> None:
    found = machine(tmp_path, 77)
    process(found, 1, "systemd", 77)
    mended(listeners.port(found, "scp:11112"), State.WARNING, "systemd listens", "start it")
    process(found, 4711, "appliance", 77)  # one that starts, and has not yet said so
    mended(listeners.port(found, "scp:11112"), State.WARNING, "systemd listens", "start it")
    alive(found)
    mended(listeners.port(found, "scp:11112"), State.OK, "room scp listens", "")


def test_somebody_elses_port_is_told_with_its_name(tmp_path: Path) -> None:
    found = machine(tmp_path, 77)
    process(found, 4711, "Orthanc", 77)
    mended(listeners.port(found, "scp:11112"), State.FAULT, "Orthanc (process 4711)", "another port")


def test_without_root_another_users_process_is_not_seen(tmp_path: Path) -> None:
    found = machine(tmp_path, 77, user=1000)
    mended(listeners.port(found, "scp:11112"), State.FAULT, "another user", "as root")
    alive(found)
    mended(listeners.port(found, "scp:11112"), State.SKIPPED, "root sees", "")


def test_every_door_is_looked_at(tmp_path: Path) -> None:
    scp = {"port": 11112, "tls_port": 2762, "tls_certificate": "/c", "tls_key": "/k"}
    assert listeners.ports(box(tmp_path, {"scp": scp})) == ("scp:11112", "scp:2762", "web:8080")
