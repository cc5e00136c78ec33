"""Sockets within this machine: who listens, and who may write."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.care.doctor import local_sockets
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import State
from tests.unit.care.doctor.boxes import box, mended, put

PATH = "/run/appliance/codec.sock"
HEAD = "Num       RefCount Protocol Flags    Type St Inode Path\n"
ROW = "0000000000000000: 00000002 00000000 {flags} 0001 01 4711 {path}\n"


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Box]:
    made = box(tmp_path, {"codec": {"socket": PATH}})
    place = put(made, PATH, "")
    place.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        place.chmod(0o600)
        yield made


def table(found: Box, flags: str) -> None:
    put(found, "/proc/net/unix", HEAD + ROW.format(flags=flags, path=PATH))


def test_somebody_listens_and_nobody_is_woken(found: Box) -> None:
    assert local_sockets.rooms(found) == ("codec",)
    table(found, "00010000")
    mended(local_sockets.local_socket(found, "codec"), State.OK, "somebody listens", "")


def test_nobody_listens(found: Box) -> None:
    table(found, "00000000")
    mended(local_sockets.local_socket(found, "codec"), State.FAULT, "nobody listens", "restart dicom-edge-codec.socket")
    found.place(PATH).unlink()
    mended(local_sockets.local_socket(found, "codec"), State.FAULT, "is not there", "dicom-edge-codec")


def test_everybody_may_write(found: Box) -> None:
    table(found, "00010000")
    found.place(PATH).chmod(0o666)
    mended(local_sockets.local_socket(found, "codec"), State.FAULT, "mode 0666", "restart")
