"""Who may report for whom: client certificates and the rules that are shipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.certificates import Authority
from tests.integration.monitor.reporting import STATUS, monitor_numbers, reporting, wait_state
from tests.partners.lasting_ports import lasting_ports
from tests.partners.mosquitto import Mosquitto
from tests.partners.program import Program, executable
from tests.waiting import wait_until

SHIPPED = Path(__file__).resolve().parents[3] / "packaging" / "mosquitto"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker under the rules that are shipped."""
    made = Mosquitto(tmp_path / "mosquitto")
    (tmp_path / "mosquitto" / "permissions.acl").write_text((SHIPPED / "acl").read_text())
    with made:
        yield made


def test_a_foreign_certificate_cannot_speak_for_this_box(tmp_path: Path, broker: Mosquitto) -> None:
    with broker.watch() as watcher:
        with reporting(tmp_path / "own", broker) as own:
            own.start("monitor")
            true = wait_state(watcher, "starting")
            own.stop("monitor")
            wait_state(watcher, "stopping")
        with reporting(tmp_path / "foreign", broker, name="site-2", will_delay="0") as foreign:
            foreign.start("monitor")
            wait_until(lambda: "refuses our reports" in monitor_numbers(foreign).get("fault", ""), 20)
            foreign.kill("monitor")
        with broker.watch() as newcomer:
            told = newcomer.wait_for(lambda told: told.topic == STATUS)
            assert b"stopping" in told.payload and true["boot_id"].encode() in told.payload
        assert {told.topic for told in watcher.told} == {STATUS, STATUS.replace("status", "health")}
        assert all(true["boot_id"].encode() in told.payload for told in watcher.told)


def test_a_certificate_of_another_authority_is_refused_and_said_so(tmp_path: Path, broker: Mosquitto) -> None:
    (tmp_path / "elsewhere").mkdir()
    pair = Authority(tmp_path / "elsewhere", "Another authority").issue("site-1")
    keys = {"tls_certificate": str(pair.certificate), "tls_key": str(pair.key)}
    with reporting(tmp_path / "home", broker, **keys) as box:
        box.start("monitor")
        assert wait_until(lambda: monitor_numbers(box).get("fault"), 20)
        assert not monitor_numbers(box)["connected"]


def test_a_broker_with_a_foreign_certificate_is_not_reported_to(tmp_path: Path, broker: Mosquitto) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = Authority(tmp_path / "elsewhere", "Another authority")
    with reporting(tmp_path / "home", broker, tls_ca=str(other.certificate)) as box:
        box.start("monitor")
        fault = wait_until(lambda: monitor_numbers(box).get("fault"), 20)
        assert "certificate verify failed" in str(fault)


def test_the_shipped_configuration_is_one_that_mosquitto_takes(tmp_path: Path) -> None:
    (port,) = lasting_ports(1)
    authority = Authority(tmp_path)
    server = authority.issue("broker")
    text = (SHIPPED / "edge.conf").read_text()
    places = {
        "/etc/mosquitto/edge/ca.pem": authority.certificate,
        "/etc/mosquitto/edge/broker.crt": server.certificate,
        "/etc/mosquitto/edge/broker.key": server.key,
        "/etc/mosquitto/edge/acl": SHIPPED / "acl",
        "/var/lib/mosquitto/": f"{tmp_path}/",
        "listener 8883": f"listener {port} 127.0.0.1",
    }
    for name, place in places.items():
        assert name in text
        text = text.replace(name, str(place))
    if os.geteuid() == 0:
        text += "\nuser root\n"
    (tmp_path / "edge.conf").write_text(text)
    command = [executable("mosquitto", "mosquitto"), "-v", "-c", str(tmp_path / "edge.conf")]
    program = Program(command, tmp_path / "mosquitto.log")
    program.start()
    try:
        program.wait_until(lambda: f"port {port}" in program.output(), 20)
        complaints = [line for line in program.output().splitlines() if "Error" in line or "Warning" in line]
        assert [line for line in complaints if "run as root" not in line] == []
    finally:
        program.end()
