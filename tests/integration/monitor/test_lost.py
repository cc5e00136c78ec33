"""A box that has gone reads `lost`, in time, and only if it has gone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.integration.monitor.reporting import LOST_SECONDS, STATUS, WILL_DELAY, document, reporting, retained
from tests.integration.monitor.reporting import wait_state as wait
from tests.partners.mosquitto import Mosquitto
from tests.partners.mqtt_watcher import MqttWatcher, Told

# These tests are about time: they run alone.
pytestmark = pytest.mark.serial

# What two busy cores and the broker's own clock, which ticks by the second, may add.
SLACK = 2.5
# Long enough that the broker's own round of five seconds fits into the bound.
SILENT_KEEPALIVE = 8


def test_a_box_killed_reads_lost_and_comes_back_under_a_new_boot_id(
    tmp_path: Path, broker: Mosquitto, watcher: MqttWatcher
) -> None:
    with reporting(tmp_path / "home", broker) as box:
        box.start("monitor")
        first = wait(watcher, "starting")
        box.kill("monitor")
        killed = time.monotonic()
        lost = wait(watcher, "lost", LOST_SECONDS + SLACK)
        assert WILL_DELAY - 1 <= time.monotonic() - killed <= LOST_SECONDS + SLACK
        assert lost["boot_id"] == first["boot_id"]
        assert lost["since"] is None
        assert retained(broker) == lost
        box.start("monitor")
        again = wait(watcher, "starting")
        assert again["boot_id"] != first["boot_id"]
        assert retained(broker) == again


def test_a_box_without_power_reads_lost_in_time(tmp_path: Path, broker: Mosquitto, watcher: MqttWatcher) -> None:
    """No FIN is sent then: only silence tells. A stopped process is as silent."""
    with reporting(tmp_path / "home", broker, keepalive=str(SILENT_KEEPALIVE)) as box:
        pid = box.start("monitor")
        wait(watcher, "starting")
        os.kill(pid, signal.SIGSTOP)
        try:
            wait(watcher, "lost", 1.5 * SILENT_KEEPALIVE + WILL_DELAY + SLACK)
        finally:
            os.kill(pid, signal.SIGCONT)
        back = wait(watcher, "starting", 15)
        assert back["seq"] > 1
        assert retained(broker) == back


def test_a_monitor_that_is_back_before_the_delay_is_over_was_never_lost(
    tmp_path: Path, broker: Mosquitto, watcher: MqttWatcher
) -> None:
    with reporting(tmp_path / "home", broker, will_delay="3", health_seconds="1") as box:
        box.start("monitor")
        first = wait(watcher, "starting")
        box.kill("monitor")
        box.start("monitor")

        def said_long_after(told: Told) -> bool:
            report = document(told)
            return told.topic == STATUS and report["boot_id"] != first["boot_id"] and report["seq"] >= 5

        watcher.wait_for(said_long_after, 15)
        assert "lost" not in [document(told)["state"] for told in watcher.told]


def test_an_ordered_end_reads_stopping_and_stays_so(tmp_path: Path, broker: Mosquitto, watcher: MqttWatcher) -> None:
    with reporting(tmp_path / "home", broker, will_delay="0") as box:
        box.start("monitor")
        wait(watcher, "starting")
        assert box.stop("monitor") == 0
        report = wait(watcher, "stopping")
        assert retained(broker) == report
