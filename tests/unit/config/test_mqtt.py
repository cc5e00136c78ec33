"""The table `mqtt`, and the certificate files a configuration names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.config import Settings, certificate_files, load
from appliance.errors import ConfigurationError


def settings(**keys: str) -> Settings:
    return load(None, {f"APPLIANCE__MQTT__{key.upper()}": value for key, value in keys.items()}).settings


def test_without_a_host_the_box_reports_nowhere() -> None:
    assert settings().mqtt.host == ""


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({"topic_prefix": "edge/#"}, "mqtt.topic_prefix"),
        ({"topic_prefix": "edge//v1"}, "mqtt.topic_prefix"),
        ({"topic_prefix": "/edge"}, "mqtt.topic_prefix"),
        ({"host": "a..b"}, "mqtt.host"),
        ({"host": "broker/x"}, "mqtt.host"),
        ({"keepalive": "0"}, "mqtt.keepalive"),
        ({"keepalive": "70000"}, "mqtt.keepalive"),
        ({"will_delay": "-1"}, "mqtt.will_delay"),
        ({"tls_certificate": "/a.pem"}, "tls_certificate and tls_key go together"),
        ({"password_file": "/p"}, "password_file needs username"),
        ({"password": "hunter2"}, "mqtt.password"),
    ],
)
def test_a_mistake_is_named_and_a_password_is_not(keys: dict[str, str], wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong) as raised:
        settings(**keys)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("host", ["broker.example", "10.0.0.7", "::1", "fe80::1%eth0", "localhost"])
def test_hosts(host: str) -> None:
    assert settings(host=host).mqtt.host == host


def test_every_certificate_file_is_found_wherever_it_stands() -> None:
    sink = {"pacs": {"kind": "stow", "url": "https://pacs.example", "tls_ca": "/etc/pacs.pem"}}
    environ = {
        "APPLIANCE__SCP__TLS_CERTIFICATE": "/etc/scp.crt",
        "APPLIANCE__SCP__TLS_KEY": "/etc/scp.key",
        "APPLIANCE__MQTT__TLS_CA": "mqtt-ca.pem",
        "APPLIANCE__SYNC__SINKS": json.dumps(sink),
    }
    found = load(None, environ).settings
    assert certificate_files(found, {"CREDENTIALS_DIRECTORY": "/run/c"}) == {
        "scp.tls_certificate": Path("/etc/scp.crt"),
        "mqtt.tls_ca": Path("/run/c/mqtt-ca.pem"),
        "sync.sinks.pacs.tls_ca": Path("/etc/pacs.pem"),
    }
    assert "mqtt.tls_ca" not in certificate_files(found, {})
