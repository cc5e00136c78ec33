"""Limits of the web room: memory that does not grow with what passes through, an orderly end."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset

from tests.builders.instances import CT_IMAGE_STORAGE, ct, encode, part10, part10_of
from tests.integration.web.client import STOW, WebClient, stow_body
from tests.partners.appliance import Appliance
from tests.waiting import wait_until

MIB = 1 << 20
EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Appliance]:
    """A box of its own, initialised, nothing running."""
    with Appliance(tmp_path / "home", {"APPLIANCE__WEB__MAX_BODY_BYTES": str(400 * MIB)}) as appliance:
        appliance.command("init")
        yield appliance


def start(box: Appliance) -> int:
    pid = box.start("web")
    box.wait_ready("web")
    return pid


def peak(pid: int) -> int:
    """Most memory the process has ever had resident, in bytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found.group(1)) * 1024


class LargeInstance:
    """A store request whose pixels are never in memory at once; `size` is theirs in bytes."""

    def __init__(self, size: int) -> None:
        """Make the beginning and the end."""
        self.dataset: Dataset = ct(PixelData=None)
        pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, size)
        file = part10_of(
            encode(self.dataset) + pixels,
            EXPLICIT,
            sop_class_uid=CT_IMAGE_STORAGE,
            sop_uid=self.dataset.SOPInstanceUID,
        )
        self.size = size
        self._parts = stow_body(file + b"MARK").split(b"MARK")

    @property
    def length(self) -> int:
        """Length of the request's body in bytes."""
        return sum(map(len, self._parts)) + self.size

    @property
    def path(self) -> str:
        """Where it can be retrieved."""
        uids = (self.dataset.StudyInstanceUID, self.dataset.SeriesInstanceUID, self.dataset.SOPInstanceUID)
        return "/dicom-web/studies/{}/series/{}/instances/{}".format(*uids)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body."""
        yield self._parts[0]
        piece = bytes(range(256)) * (MIB // 256)
        for _ in range(self.size // MIB):
            yield piece
        yield self._parts[1]


def send(box: Appliance, large: LargeInstance) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", box.web_port, timeout=120)
    headers = {"Content-Type": STOW, "Content-Length": str(large.length)}
    connection.request("POST", "/dicom-web/studies", body=large, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def fetch(box: Appliance, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", box.web_port, timeout=120)
    connection.request("GET", path)
    answer, length = connection.getresponse(), 0
    while chunk := answer.read(MIB):
        length += len(chunk)
    assert str(length) == answer.headers["Content-Length"]
    connection.close()
    return length


def growth(box: Appliance, size: int) -> tuple[int, int]:
    """Return how much the peak of a fresh process grows while storing, then while retrieving."""
    pid = start(box)
    send(box, LargeInstance(MIB))
    large, before = LargeInstance(size), peak(pid)
    assert send(box, large) == 200
    stored = peak(pid) - before
    box.stop("web")
    pid = start(box)
    fetch(box, "/dicom-web/studies")
    before = peak(pid)
    assert fetch(box, large.path) > size
    fetch(box, large.path + "/metadata")
    assert fetch(box, large.path + "/bulkdata/7FE00010") == size
    retrieved = peak(pid) - before
    box.stop("web")
    return stored, retrieved


@pytest.mark.serial
def test_memory_does_not_grow_with_the_instance(box: Appliance) -> None:
    small, large = growth(box, 64 * MIB), growth(box, 256 * MIB)
    for one, four in zip(small, large, strict=True):
        assert four - one < 8 * MIB, (small, large)


def test_a_body_over_the_limit_is_refused_before_it_is_read(box: Appliance) -> None:
    start(box)
    with socket.create_connection(("127.0.0.1", box.web_port), timeout=10) as connection:
        head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: {401 * MIB}\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(200)


def test_a_body_without_room_on_the_disk_is_refused_before_it_is_spooled(box: Appliance) -> None:
    box.start("web", environ={"APPLIANCE__ARCHIVE__RESERVE_BYTES": str(1 << 50)})
    wait_until(lambda: answers(box))
    with socket.create_connection(("127.0.0.1", box.web_port), timeout=10) as connection:
        head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: {300 * MIB}\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 507 " in connection.recv(200)
    with WebClient(box.url) as web:
        answer = web.stow(stow_body(part10(ct())))
        assert answer.status_code == 503
        assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA700]
        assert web.get("/readyz").status_code == 503


def answers(box: Appliance) -> bool:
    try:
        return box.get("/healthz", 1.0)[0] == 200
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_room_ends_in_order(box: Appliance, number: signal.Signals) -> None:
    start(box)
    wait_until((box.home / "run" / "web.json").exists)
    assert box.stop("web", number) == 0
    assert not (box.home / "run" / "web.json").exists()
    assert "Traceback" not in box.output()


def test_a_request_that_is_running_is_answered_before_the_end(box: Appliance) -> None:
    pid = start(box)
    large = LargeInstance(64 * MIB)
    assert send(box, large) == 200
    with socket.create_connection(("127.0.0.1", box.web_port), timeout=30) as connection:
        connection.sendall(f"GET {large.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        received = len(connection.recv(MIB))
        os.kill(pid, signal.SIGTERM)
        while chunk := connection.recv(MIB):
            received += len(chunk)
    assert received > 64 * MIB
    assert box.wait_ended("web") == 0


def test_an_archive_that_failed_gives_no_success_and_ends_the_room(box: Appliance) -> None:
    box.start("web", environ={"APPLIANCE_FAILPOINTS": "ingest.fsync=EIO"})
    box.wait_ready("web")
    dataset = ct()
    with WebClient(box.url) as web:
        assert web.stow(stow_body(part10(dataset))).status_code == 503
    assert box.wait_ended("web") == 70
    start(box)
    with WebClient(box.url) as web:
        assert web.search("/studies") == []
        web.keep(dataset)


def test_an_address_that_is_not_loopback_is_refused(box: Appliance) -> None:
    box.start("web", environ={"APPLIANCE__WEB__HOST": "0.0.0.0"})
    assert box.wait_ended("web") != 0
    assert "loopback" in box.output()


def test_a_port_in_use_is_named(box: Appliance) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", box.web_port))
        taken.listen()
        box.start("web")
        assert box.wait_ended("web") != 0
    assert f"web.port = {box.web_port}" in box.output()
