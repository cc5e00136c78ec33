"""The sockets within this machine: somebody listens, and nobody else may write to them. Nobody is woken by looking."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Verdict, fault, ok
from appliance.care.doctor.front import AGAIN

# __SO_ACCEPTCON of linux/net.h: the flag of a socket that listens, as proc_net_unix tells it.
ACCEPTS = 0x10000
CODEC = "dicom-edge-codec"


def _named(box: Box) -> Mapping[str, Path]:
    both = {"web": box.settings.web.socket, "codec": box.settings.codec.socket}
    return {room: path for room, path in both.items() if path is not None}


def rooms(box: Box) -> Sequence[str]:
    """Name the rooms that are reached by a socket of this machine."""
    return tuple(_named(box))


def local_socket(box: Box, room: str) -> Verdict:
    """See that somebody listens at a room's socket, and who may write to it: whoever may is believed."""
    path = _named(box)[room]
    again = AGAIN if room == "web" else f"run: systemctl stop {CODEC}; systemctl restart {CODEC}.socket"
    if not box.place(path).is_socket():
        return fault(f"{path} is not there", again)
    if str(path) not in _listening(box.place("/proc")):
        return fault(f"nobody listens at {path}", again)
    mode = stat.S_IMODE(box.place(path).stat().st_mode)
    if mode & stat.S_IRWXO:
        return fault(f"{path} has mode {mode:04o}: everybody on this machine may write to it", again)
    return ok(f"somebody listens at {path}, mode {mode:04o}")


def _listening(proc: Path) -> frozenset[str]:
    lines = (proc / "net" / "unix").read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    fields = (line.split(maxsplit=7) for line in lines)
    return frozenset(one[7] for one in fields if len(one) == 8 and int(one[3], 16) & ACCEPTS)
