"""The DICOM door is knocked at where that changes nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from appliance import places
from appliance.care.doctor import doors
from appliance.care.doctor.finding import State
from appliance.dimse.client import Peer, Rejected
from tests.partners.ports import free_ports
from tests.unit.care.doctor.boxes import box, mended


def test_a_room_that_does_not_run_is_not_started_by_a_knock(tmp_path: Path) -> None:
    found = box(tmp_path, {"home": places.HOME, "runtime": tmp_path / "run", "scp": {"port": 104}})
    found.place(places.LIB).mkdir(parents=True)
    mended(doors.c_echo(found, "plain:104"), State.SKIPPED, "a knock would start it", "")


def test_nobody_answers(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    found = box(tmp_path, {"scp": {"port": port}})
    mended(doors.c_echo(found, f"plain:{port}"), State.FAULT, "nobody answers", "systemctl start dicom-edge-scp")


def test_who_would_be_refused_does_not_become_a_refused_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        peers = [{"ae_title": "CT1", "address": "192.168.10.21"}, {"ae_title": "SELFTEST", "address": "192.168.10.5"}]
        found = box(tmp_path, {"scp": {"port": port, "accept_unknown": False, "peers": peers}})
        asked: list[Peer] = []
        monkeypatch.setattr(doors, "echo", asked.append)
        mended(doors.c_echo(found, f"plain:{port}"), State.SKIPPED, "no peer of scp.peers calls from 127.0.0.1", "")
        assert asked == []


def test_a_peer_that_is_refused_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_peer: Peer) -> None:
        raise Rejected("no")

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(doors, "echo", refused)
        found = box(tmp_path, {"scp": {"port": port}})
        mended(doors.c_echo(found, f"plain:{port}"), State.FAULT, "refuses us as SELFTEST", "restart dicom-edge-scp")
