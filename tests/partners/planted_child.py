"""A codec child with a decoder that misbehaves as the object's Image Comments tell it to.

Only tests start it: the pool takes the module that its children run, the product has no such switch.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from appliance.codec import child
from appliance.codec.native import native as sound_native
from appliance.codec.opened import Opened
from appliance.codec.operations import OPERATIONS
from appliance.codec.render import render as sound_render

MODULE: Final = "tests.partners.planted_child"


def hang() -> None:
    """Sleep for ever where no signal but SIGKILL is heard."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        ctypes.CDLL(None).pause()


def spin() -> None:
    """Use the processor for ever."""
    while True:
        pass


def grow() -> None:
    """Allocate without end."""
    kept = []
    while True:
        kept.append(bytearray(b"x" * (16 << 20)))


def crash() -> None:
    """Write where nothing is."""
    ctypes.memset(0, 1, 1)


def babble() -> None:
    """Say what is no message."""
    os.write(0, b"\xff" * 4096)


def flood() -> None:
    """Give more bytes than anybody asked for, message after message."""
    piece = b"D" + (1 << 20).to_bytes(4, "little") + bytes(1 << 20)
    while True:
        os.write(0, piece)


def leave() -> None:
    """End as if all were well."""
    os._exit(0)


def cry() -> None:
    """Raise something with the patient's name in it."""
    raise ValueError("SECRET^PATIENT")


def pry() -> None:
    """Look at what is none of its business: the archive, other files, other programs."""
    for path in ("/etc/passwd", os.environ.get("HOME", "/root"), "/tmp"):
        with suppress(PermissionError):
            os.close(os.open(path, os.O_RDONLY))
            raise RuntimeError("it could")
    with suppress(PermissionError):
        os.execv("/bin/true", ["true"])
        raise RuntimeError("it could")


DEEDS: Final[Mapping[str, Callable[[], None]]] = {
    deed.__name__: deed for deed in (hang, spin, grow, crash, babble, flood, leave, cry, pry)
}


def native(opened: Opened, arguments: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes]:
    """Do what the object says, or decode it."""
    _obey(opened)
    return sound_native(opened, arguments)


def render(opened: Opened, arguments: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes]:
    """Do what the object says, or draw it."""
    _obey(opened)
    return sound_render(opened, arguments)


def _obey(opened: Opened) -> None:
    deed = DEEDS.get(str(opened.dataset().get("ImageComments", "")))
    if deed is not None:
        deed()


if __name__ == "__main__":
    sys.exit(child.main({**OPERATIONS, "native": "__main__:native", "render": "__main__:render"}))
