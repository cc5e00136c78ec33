"""A box that reports to a real mosquitto, and what the broker tells of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.partners.appliance import Appliance
from tests.partners.mosquitto import Mosquitto
from tests.partners.mqtt_watcher import MqttWatcher, Told
from tests.waiting import wait_until

SITE = "site-1"
STATUS = f"edge/v1/{SITE}/status"
HEALTH = f"edge/v1/{SITE}/health"
KEEPALIVE = 2
WILL_DELAY = 2
LOST_SECONDS = 1.5 * KEEPALIVE + WILL_DELAY


def reporting(home: Path, broker: Mosquitto, name: str = SITE, **more: str) -> Appliance:
    """An initialised box that reports to `broker` with a certificate of `name`; `more` are mqtt keys."""
    pair = broker.issue(name)
    keys = {
        "host": "127.0.0.1",
        "port": str(broker.port),
        "tls_ca": str(broker.authority.certificate),
        "tls_certificate": str(pair.certificate),
        "tls_key": str(pair.key),
        "keepalive": str(KEEPALIVE),
        "will_delay": str(WILL_DELAY),
        **more,
    }
    box = Appliance(home, {f"APPLIANCE__MQTT__{key.upper()}": value for key, value in keys.items()})
    box.command("init")
    return box


def document(told: Told) -> dict[str, Any]:
    """The JSON object of a publication."""
    found = json.loads(told.payload)
    assert isinstance(found, dict)
    return found


def wait_state(watcher: MqttWatcher, state: str, seconds: float = 30, **facts: Any) -> dict[str, Any]:
    """The latest status once it is `state` and has the facts; fails with what was said instead."""

    def latest() -> dict[str, Any] | None:
        told = watcher.latest(STATUS)
        report = document(told) if told else {}
        return report if report.get("state") == state and facts.items() <= report.items() else None

    try:
        return wait_until(latest, seconds, every=0.02)
    except AssertionError:
        print(*watcher.told, sep="\n")
        raise


def retained(broker: Mosquitto) -> dict[str, Any]:
    """The status as a newcomer is told it."""
    with broker.watch(STATUS) as newcomer:
        return document(newcomer.wait_for(lambda told: told.retained))


def monitor_numbers(box: Appliance) -> Mapping[str, Any]:
    """What the monitor last published in the runtime directory; {} before."""
    path = box.home / "run" / "monitor.json"
    return json.loads(path.read_text()) if path.exists() else {}
