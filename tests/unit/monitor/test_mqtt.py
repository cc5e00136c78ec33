"""The link without a broker: it says why, keeps nothing, and ends when told to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ConfigurationError
from appliance.monitor.mqtt import QUEUE, Broker, MqttLink, wire_keepalive
from appliance.monitor.topics import Message
from tests.builders.certificates import Authority
from tests.partners.lasting_ports import lasting_ports
from tests.waiting import wait_until

MESSAGE = Message("edge/v1/site-1/status", b"{}", 1, True)


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    """A port that nobody listens on."""
    authority = Authority(tmp_path)
    pair = authority.issue("site-1")
    return Broker(
        "127.0.0.1", lasting_ports(1)[0], 2, 2, authority.certificate, pair.certificate, pair.key
    )  # fmt: skip


def link_to(broker: Broker) -> MqttLink:
    return MqttLink(broker, "dicom-edge-site-1", lambda: MESSAGE)


def test_nothing_is_kept_for_a_broker_that_is_not_there(broker: Broker) -> None:
    link = link_to(broker)
    link.start()
    try:
        wait_until(lambda: "refused" in link.fault)
        assert not any(link.publish(MESSAGE) for _ in range(1000))
        link.start()  # again, without harm
    finally:
        link.farewell(MESSAGE, 1)
    assert (link.connected, link.connections) == (False, 0)


def test_a_connection_that_does_not_move_holds_a_few_messages_and_refuses_more(broker: Broker) -> None:
    link = link_to(broker)
    link.connected = True  # as between a broker's death and the moment it is noticed
    taken = [link.publish(MESSAGE) for _ in range(1000)]
    assert sum(taken) <= QUEUE and not taken[-1]
    link.farewell(MESSAGE, 0.1)


@pytest.mark.parametrize("name", ["tls_ca", "tls_certificate", "tls_key", "password_file"])
def test_a_missing_file_is_named(broker: Broker, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="missing"):
        changes: dict[str, Any] = {name: tmp_path / "missing"}
        link_to(replace(broker, **changes))


def test_a_name_that_cannot_be_resolved_is_a_fault_like_another(broker: Broker) -> None:
    link = link_to(replace(broker, host="nobody.invalid"))
    link.start()
    try:
        assert wait_until(lambda: link.fault, 20)
    finally:
        link.farewell(MESSAGE, 1)


@pytest.mark.parametrize(("configured", "told"), [(30, 26), (8, 4), (6, 2), (4, 2), (2, 2), (1, 1)])
def test_the_broker_is_told_a_shorter_interval_so_that_its_own_round_fits_in(configured: int, told: int) -> None:
    assert wire_keepalive(configured) == told
