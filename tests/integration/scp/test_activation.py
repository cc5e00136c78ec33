"""The room under a service manager: its sockets, its notices, and nobody refused while it restarts."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.partners import dcmtk
from tests.partners.appliance import Appliance
from tests.partners.dcmtk import Peer
from tests.partners.service_manager import Ear, listening, start
from tests.waiting import wait_until

CONFIGURATION = 78


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    """An initialised installation."""
    with Appliance(tmp_path / "home") as installation:
        installation.command("init")
        yield installation


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    with Ear(tmp_path / "notify") as found:
        yield found


def room(appliance: Appliance, ear: Ear, *sockets: tuple[str, socket.socket], **more: str) -> subprocess.Popen[str]:
    environ = {**appliance.environ, "NOTIFY_SOCKET": str(ear.path), **more}
    return start([sys.executable, "-m", "appliance", "scp"], sockets, environ)


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def test_it_serves_the_sockets_it_is_handed_and_says_how_it_is(appliance: Appliance, ear: Ear) -> None:
    with listening() as first, listening() as second:
        process = room(appliance, ear, ("dicom", first), ("dicom", second))
        try:
            ear.wait_for("READY=1")
            for sock in (first, second):
                dcmtk.echoscu(Peer(port_of(sock)))
            ear.wait_for("WATCHDOG=1")
            published = json.loads((appliance.home / "run" / "scp.json").read_text())
            assert published["parts"] == dict.fromkeys(("lobby", "rejections", "commits", "housekeeping"), 0.0)
        finally:
            process.terminate()
            assert process.wait(30) == 0
        heard, ports = ear.listen(), f"{port_of(first)}, {port_of(second)}"
    assert heard.index("STATUS=opening the archive") < heard.index("READY=1") < heard.index("STOPPING=1")
    assert f"STATUS=receiving as APPLIANCE on {ports}" in heard
    assert heard[0].startswith("EXTEND_TIMEOUT_USEC=")


def test_who_connects_while_it_restarts_waits_and_is_served(appliance: Appliance, ear: Ear) -> None:
    with listening() as sock:
        process = room(appliance, ear, ("dicom", sock))
        ear.wait_for("READY=1")
        process.kill()
        process.wait()
        ear.heard.clear()
        answers: list[int] = []
        caller = threading.Thread(target=lambda: answers.append(dcmtk.echoscu(Peer(port_of(sock))).returncode))
        caller.start()
        process = room(appliance, ear, ("dicom", sock))
        try:
            caller.join(60)
            assert answers == [0]
        finally:
            process.terminate()
            assert process.wait(30) == 0


def test_a_disk_that_keeps_refusals_waiting_does_not_starve_the_watchdog(appliance: Appliance, ear: Ear) -> None:
    with listening() as sock, closing(sqlite3.connect(appliance.home / "index.db", isolation_level=None)) as other:
        process = room(appliance, ear, ("dicom", sock), APPLIANCE__SCP__ACCEPT_UNKNOWN="false")
        try:
            ear.wait_for("READY=1")
            other.execute("BEGIN IMMEDIATE")
            assert dcmtk.echoscu(Peer(port_of(sock)), check=False).returncode != 0
            ear.heard.clear()
            wait_until(lambda: ear.listen().count("WATCHDOG=1") >= 4)
            other.execute("ROLLBACK")
        finally:
            process.terminate()
            assert process.wait(60) == 0
    listed = json.loads(appliance.command("callers", "list", "--json").stdout)
    assert [(one["ae_title"], one["count"]) for one in listed] == [("DCMTK", 1)]


def test_a_tls_socket_without_a_certificate_ends_it_with_the_word_for_it(appliance: Appliance, ear: Ear) -> None:
    with listening() as sock:
        assert room(appliance, ear, ("dicom-tls", sock)).wait(30) == CONFIGURATION
    assert "READY=1" not in ear.listen()


def test_the_monitor_of_a_box_without_a_broker_ends_in_order(appliance: Appliance, ear: Ear) -> None:
    environ = {**appliance.environ, "NOTIFY_SOCKET": str(ear.path)}
    done = subprocess.run([sys.executable, "-m", "appliance", "monitor"], env=environ, timeout=30, check=False)
    assert done.returncode == 0
    assert ear.listen() == ["STATUS=mqtt.host is not set: there is nobody to report to", "READY=1"]
    alone = appliance.command("monitor", check=False)
    assert (alone.returncode, "mqtt.host" in alone.stderr) == (CONFIGURATION, True)
