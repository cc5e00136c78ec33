"""A whole box reports: ready, its numbers, and nothing about patients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.builders.instances import CT_IMAGE_STORAGE, ct, encode
from tests.integration.monitor.reporting import HEALTH, STATUS, document, monitor_numbers, reporting, wait_state
from tests.integration.walk.test_patient_data import EXPLICIT, PLANTED, found_in
from tests.partners.appliance import Appliance
from tests.partners.mosquitto import Mosquitto
from tests.partners.mqtt_watcher import MqttWatcher, Told
from tests.partners.raw_scu import RawScu
from tests.waiting import wait_until


@dataclass(frozen=True)
class Reported:
    """A box that has stored and forwarded a planted patient's image, and everything it has said."""

    box: Appliance
    watcher: MqttWatcher


def stored_and_forwarded(told: Told) -> bool:
    if told.topic != HEALTH:
        return False
    report = document(told)
    return bool(report["last_c_store"]) and report["sinks"]["outbound"]["delivered"] > 0


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reported]:
    folder = tmp_path_factory.mktemp("reported")
    with (
        Mosquitto(folder / "mosquitto") as broker,
        broker.watch() as watcher,
        reporting(folder / "home", broker, health_seconds="1") as box,
    ):
        box.start("run")
        wait_state(watcher, "ready")
        dataset = ct(**PLANTED)
        with RawScu("127.0.0.1", box.scp_port, contexts=((CT_IMAGE_STORAGE, (EXPLICIT,)),)) as scu:
            assert scu.store(CT_IMAGE_STORAGE, str(dataset.SOPInstanceUID), EXPLICIT, encode(dataset)) == 0
            assert scu.store(CT_IMAGE_STORAGE, "1.2.3", EXPLICIT, encode(ct(**PLANTED, StudyInstanceUID=None))) != 0
        watcher.wait_for(stored_and_forwarded, 30)
        yield Reported(box, watcher)


def latest(reported: Reported, topic: str) -> dict[str, Any]:
    told = reported.watcher.latest(topic)
    assert told is not None
    return document(told)


def test_the_status_has_exactly_what_the_contract_names(reported: Reported) -> None:
    report = latest(reported, STATUS)
    assert set(report) == {"state", "since", "boot_id", "version", "seq"}
    assert report["state"] == "ready"


def test_the_reports_of_a_run_are_counted(reported: Reported) -> None:
    reports = [document(told) for told in reported.watcher.told if told.topic == STATUS]
    assert [report["seq"] for report in reports] == list(range(1, len(reports) + 1))
    assert len({report["boot_id"] for report in reports}) == 1


def test_the_health_has_the_numbers_central_it_asks_for(reported: Reported) -> None:
    report = latest(reported, HEALTH)
    assert report["faults"] == []
    assert report["rooms"] == {"scp": True, "web": True, "sync": True}
    sink = report["sinks"]["outbound"]
    assert (sink["breaker"], sink["pending"], sink["dead"], sink["held"]) == ("closed", 0, 0, False)
    assert report["disk"]["free_bytes"] > report["disk"]["reserve_bytes"]
    assert report["disk"]["outage_hours"] > 0
    assert 0 <= report["certificates"]["mqtt.tls_certificate"] < 1


def test_invariant_8_no_message_carries_the_patient(reported: Reported) -> None:
    told = reported.watcher.told
    assert len(told) > 2
    assert found_in("".join(each.topic + each.payload.decode() for each in told)) == []
    assert found_in(reported.box.output()) == []


def test_the_log_follows_an_object_from_the_door_to_the_sink_by_its_trace(reported: Reported) -> None:
    lines = reported.box.output().splitlines()
    closed = next(line for line in lines if "association closed" in line)
    trace = re.search(r"traceparent=(\S+)", closed)
    assert trace is not None
    assert [line for line in lines if "delivered" in line and "sink=outbound" in line and trace[1] in line]


def test_metrics_tell_of_the_connection_and_the_certificates(reported: Reported) -> None:
    status, body = reported.box.get("/metrics")
    text = body.decode()
    assert status == 200
    assert "dicom_edge_mqtt_connected 1.0" in text
    assert 'dicom_edge_certificate_days{key="mqtt.tls_certificate"}' in text
    assert 'dicom_edge_room_up{room="monitor"} 1.0' in text


def test_nothing_depends_on_the_monitor(reported: Reported) -> None:
    """Last: it is killed here, and `run` brings it back."""
    before = reported.box.room_pid("monitor")
    reported.box.kill("monitor")
    assert reported.box.get("/readyz")[0] == 200
    assert reported.box.status()["ready"]
    wait_until(
        lambda: monitor_numbers(reported.box)["pid"] != before and monitor_numbers(reported.box)["connected"], 20
    )
