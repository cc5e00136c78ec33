"""The library's settings, made from a sink's options."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from appliance.kafka_connection import producer
from appliance.sync.sinks.contract import Misconfigured
from appliance.sync.sinks.kafka_options import KafkaOptions
from appliance.sync.sinks.kafka_settings import producer_configs
from tests.builders.certificates import Authority


def _options(**values: Any) -> KafkaOptions:
    return KafkaOptions(("broker:9092",), "site-1", **values)


def test_a_record_counts_when_every_replica_has_it_once() -> None:
    configs = producer_configs(_options(delivery_timeout=30.0))
    assert configs["acks"] == "all"
    assert configs["enable_idempotence"] is True
    assert configs["max_in_flight_requests_per_connection"] == 5
    assert configs["linger_ms"] == 20
    assert configs["delivery_timeout_ms"] == 30_000
    assert all(isinstance(value, int) for name, value in configs.items() if name.endswith("_ms"))
    assert configs["delivery_timeout_ms"] >= configs["linger_ms"] + configs["request_timeout_ms"]


def test_passwords_are_read_at_use_without_their_line_end(tmp_path: Path) -> None:
    path = tmp_path / "password"
    login = _options(security="SASL_PLAINTEXT", username="edge", password_file=path, sasl_mechanism="SCRAM-SHA-512")
    with pytest.raises(Misconfigured, match="cannot be read"):
        producer_configs(login)
    path.write_text("s e cret\n")
    assert producer_configs(login)["sasl_plain_password"] == "s e cret"
    assert producer_configs(login)["sasl_mechanism"] == "SCRAM-SHA-512"
    with pytest.raises(Misconfigured, match="no password"):
        producer_configs(_options(security="SASL_SSL", username="edge"))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="no text"):
        producer_configs(login)


def test_tls_checks_names_and_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = producer_configs(_options(security="SSL", tls_ca=authority.certificate))["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    with pytest.raises(Misconfigured):
        producer_configs(_options(security="SSL", tls_ca=tmp_path / "missing.pem"))


def test_zstd_without_its_package_is_said_before_anything_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert producer_configs(_options(compression="zstd"))["compression_type"] == "zstd"
    assert producer_configs(_options())["compression_type"] is None
    monkeypatch.setattr(producer, "find_spec", lambda _: None)
    with pytest.raises(Misconfigured, match="zstandard"):
        producer_configs(_options(compression="zstd"))
