"""From a sink's options to the library's own settings; secrets are read here, when they are needed."""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from appliance.errors import ConfigurationError
from appliance.sync.sinks.contract import Misconfigured
from appliance.sync.sinks.kafka_options import KafkaOptions
from appliance.tls import client_context

LINGER_MS = 20
BATCH_BYTES = 128 << 10
REQUEST_BYTES = 1 << 20
BLOCK_MS = 5_000
# Several tries fit into the delivery timeout: an answer that was lost is asked for again.
TRIES = 3


def producer_configs(options: KafkaOptions) -> dict[str, Any]:
    """Return KafkaProducer's settings. Raises Misconfigured for a file that cannot be used."""
    timeout_ms = round(options.delivery_timeout * 1000)  # whole numbers: they go over the wire
    configs: dict[str, Any] = {
        "bootstrap_servers": list(options.bootstrap_servers),
        "client_id": options.client_id,
        "security_protocol": options.security,
        "enable_idempotence": True,
        "acks": "all",
        "max_in_flight_requests_per_connection": 5,
        "linger_ms": LINGER_MS,
        "delivery_timeout_ms": timeout_ms,
        "request_timeout_ms": timeout_ms // TRIES,
        "max_block_ms": BLOCK_MS,
        "max_request_size": REQUEST_BYTES,
        "batch_size": BATCH_BYTES,
        "compression_type": _compression(options.compression),
        "reconnect_backoff_max_ms": 1_000,
        "metrics_enabled": False,
    }
    if options.security.endswith("SSL"):
        configs["ssl_context"] = _tls(options)
    if options.security.startswith("SASL"):
        configs |= _login(options)
    return configs


def _compression(name: str) -> str | None:
    if name == "zstd" and find_spec("zstandard") is None:
        raise Misconfigured("compression zstd needs the Python package zstandard", hint="install it, or use gzip")
    return None if name == "none" else name


def _tls(options: KafkaOptions) -> ssl.SSLContext:
    try:
        return client_context(ca=options.tls_ca, certificate=options.tls_certificate, key=options.tls_key)
    except ConfigurationError as error:
        raise Misconfigured(error.message, hint=error.hint) from None


def _login(options: KafkaOptions) -> dict[str, Any]:
    return {
        "sasl_mechanism": options.sasl_mechanism,
        "sasl_plain_username": options.username,
        "sasl_plain_password": _secret(options.password_file),
    }


def _secret(path: Path | None) -> str:
    if path is None:
        raise Misconfigured("the login to the broker has no password", hint="set password_file of the sink")
    try:
        return path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Misconfigured(f"the password file {path} cannot be read: {reason}", hint="check path and mode") from None
