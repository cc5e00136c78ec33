"""What an idle box costs: memory of all rooms together, and the processor's time they take for nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.partners.appliance import Appliance
from tests.partners.memory import proportional_bytes
from tests.partners.mosquitto import Mosquitto
from tests.partners.ports import free_ports

ROOMS = ("scp", "web", "sync", "monitor")
MOST_BYTES = 300_000_000
MOST_OF_A_CORE = 0.01
SETTLED_SECONDS = 15.0
SECONDS = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """What a process has used of the processor so far (proc(5): utime, stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def embedded(folder: Path) -> Mapping[str, str]:
    """A box as it is without any configuration."""
    return {}


def packaged(folder: Path) -> Mapping[str, str]:
    """A box as the package sets it up and a centre uses it: a codec service that sleeps, objects and records."""
    kafka, stow = free_ports(2)
    sinks = "APPLIANCE__SYNC__SINKS__"
    return {
        "APPLIANCE__CODEC__SOCKET": str(folder / "codec.sock"),
        f"{sinks}OBJECTS__KIND": "stow",
        f"{sinks}OBJECTS__URL": f"http://127.0.0.1:{stow}/dicom-web",
        f"{sinks}RECORDS__KIND": "kafka",
        f"{sinks}RECORDS__BOOTSTRAP_SERVERS": f'["127.0.0.1:{kafka}"]',
    }


@pytest.mark.full
@pytest.mark.timeout(240)
@pytest.mark.parametrize("layout", [embedded, packaged])
def test_an_idle_box_is_small_and_still(tmp_path: Path, layout: Callable[[Path], Mapping[str, str]]) -> None:
    broker = Mosquitto(tmp_path / "broker")
    pair = broker.issue("site-1")
    environ = {
        **layout(tmp_path),
        "APPLIANCE__SYNC__POLL_SECONDS": "1.0",
        "APPLIANCE__WEB__LOGIN": "required",
        "APPLIANCE__MQTT__HOST": "127.0.0.1",
        "APPLIANCE__MQTT__PORT": str(broker.port),
        "APPLIANCE__MQTT__TLS_CA": str(broker.authority.certificate),
        "APPLIANCE__MQTT__TLS_CERTIFICATE": str(pair.certificate),
        "APPLIANCE__MQTT__TLS_KEY": str(pair.key),
    }
    with broker, Appliance(tmp_path / "home", environ) as box:
        box.command("init")
        pids = {room: box.start(room) for room in ROOMS}
        box.wait_ready()
        pause = threading.Event()
        pause.wait(SETTLED_SECONDS)
        before = {room: processor_seconds(pid) for room, pid in pids.items()}
        pause.wait(SECONDS)
        used = {room: (processor_seconds(pid) - before[room]) / SECONDS for room, pid in pids.items()}
        held = {room: proportional_bytes(pid) for room, pid in pids.items()}
    for room in ROOMS:
        print(f"{room:8} {held[room] / 1e6:6.1f} MB  {used[room]:.2%} of a core")
    print(f"together {sum(held.values()) / 1e6:6.1f} MB  {sum(used.values()):.2%} of a core")
    assert sum(held.values()) < MOST_BYTES
    assert sum(used.values()) < MOST_OF_A_CORE
