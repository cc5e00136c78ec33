"""A broker that is dead, paused, or back with an empty memory: the box does not care, and then tells it all."""

from __future__ import annotations

from pathlib import Path

from tests.integration.monitor.reporting import monitor_numbers, reporting, retained, wait_state
from tests.partners.appliance import Appliance
from tests.partners.memory import own_bytes
from tests.partners.mosquitto import Mosquitto
from tests.partners.mqtt_watcher import MqttWatcher
from tests.waiting import wait_until

# The promise is a minute; the longest wait between two tries is less than half of it.
BACK_SECONDS = 40


def test_a_broker_that_was_away_is_told_the_true_state(tmp_path: Path, broker: Mosquitto, watcher: MqttWatcher) -> None:
    with reporting(tmp_path / "home", broker) as box:
        broker.stop()
        box.start("monitor")
        wait_until(lambda: monitor_numbers(box).get("fault"), 20)
        assert not monitor_numbers(box)["connected"]
        broker.start().wait_ready()
        first = wait_state(watcher, "starting", BACK_SECONDS)
        broker.kill()
        wait_until(lambda: not monitor_numbers(box)["connected"], 10)
        broker.wipe()
        broker.start().wait_ready()
        wait_until(lambda: monitor_numbers(box)["connected"], BACK_SECONDS)
        wait_until(lambda: retained(broker)["seq"] > first["seq"], 10)
        assert retained(broker)["state"] == "starting"


def passed(box: Appliance, seconds: int) -> None:
    """Wait until the monitor has gone on for so long."""
    begun = monitor_numbers(box)["at"]
    wait_until(lambda: monitor_numbers(box)["at"] - begun >= seconds * 1_000_000, 10 + seconds)


def test_a_dead_broker_costs_no_memory(tmp_path: Path, broker: Mosquitto) -> None:
    with reporting(tmp_path / "home", broker, health_seconds="0.1") as box:
        broker.kill()
        pid = box.start("monitor")
        wait_until(lambda: monitor_numbers(box).get("fault"), 20)
        passed(box, 2)
        before = own_bytes(pid)
        passed(box, 5)
        assert own_bytes(pid) - before < 256 << 10
        assert box.output().count("broker not served") == 1, "a fault is logged once, not at each try"


def test_a_frozen_broker_is_left_and_found_again(tmp_path: Path, broker: Mosquitto) -> None:
    with reporting(tmp_path / "home", broker, health_seconds="1") as box:
        box.start("monitor")
        wait_until(lambda: monitor_numbers(box).get("connected"), 20)
        broker.pause()
        try:
            wait_until(lambda: not monitor_numbers(box)["connected"], 20)
        finally:
            broker.resume()
        wait_until(lambda: monitor_numbers(box)["connected"], BACK_SECONDS)
        # With the broker frozen again, an ordered end takes no longer than its few seconds.
        broker.pause()
        try:
            assert box.stop("monitor") == 0
        finally:
            broker.resume()
