"""Asking the broker whether it would let the box in, beside the room that reports."""

from __future__ import annotations

from pathlib import Path

from appliance.monitor.mqtt import Broker
from appliance.monitor.probing import probe
from tests.builders.certificates import Authority, Pair
from tests.integration.monitor.reporting import STATUS, reporting, wait_state
from tests.partners.mosquitto import Mosquitto
from tests.partners.mqtt_watcher import MqttWatcher
from tests.partners.ports import free_ports

SECONDS = 10.0


def asked(broker: Mosquitto, pair: Pair, port: int = 0) -> str:
    """What becomes of a probe with a certificate."""
    files = (broker.authority.certificate, pair.certificate, pair.key)
    return probe(Broker("127.0.0.1", port or broker.port, 30, 15, *files), "dicom-edge-site-1-doctor", SECONDS)


def test_a_probe_is_let_in_or_told_why_not(tmp_path: Path, broker: Mosquitto) -> None:
    assert asked(broker, broker.issue("site-1")) == ""
    (tmp_path / "elsewhere").mkdir()
    foreign = Authority(tmp_path / "elsewhere", "Another authority").issue("site-1")
    assert "hung up" in asked(broker, foreign)
    assert "refused" in asked(broker, broker.issue("site-1"), free_ports(1)[0])


def test_the_room_that_reports_notices_nothing(tmp_path: Path, broker: Mosquitto, watcher: MqttWatcher) -> None:
    with reporting(tmp_path / "box", broker, will_delay="0") as box:
        box.start("monitor")
        wait_state(watcher, "starting")
        assert asked(broker, broker.issue("site-1")) == ""
        box.stop("monitor")
        wait_state(watcher, "stopping")
        assert box.output().count("broker reached") == 1
    assert not [told for told in watcher.told if told.topic == STATUS and b'"lost"' in told.payload]
