"""From how a cluster is reached to the library's own settings; secrets are read here, when they are needed."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.errors import ConfigurationError
from appliance.kafka_connection.faults import Blame, KafkaFault
from appliance.tls import client_context


@dataclass(frozen=True, slots=True)
class Cluster:
    """How a cluster is reached.

    `servers` are "host:port". Paths are absolute; None or "" means not used. The files are read when a connection is
    made, never kept.
    """

    servers: tuple[str, ...]
    security: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    username: str = ""
    password_file: Path | None = None
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    client_id: str = "dicom-edge-appliance"


def connection_configs(cluster: Cluster) -> dict[str, Any]:
    """Return what producers and consumers need to connect. Raises KafkaFault for a file that cannot be used."""
    configs: dict[str, Any] = {
        "bootstrap_servers": list(cluster.servers),
        "client_id": cluster.client_id,
        "security_protocol": cluster.security,
        "reconnect_backoff_max_ms": 1_000,
        "metrics_enabled": False,
    }
    if cluster.security.endswith("SSL"):
        configs["ssl_context"] = _tls(cluster)
    if cluster.security.startswith("SASL"):
        configs |= _login(cluster)
    return configs


def _tls(cluster: Cluster) -> ssl.SSLContext:
    try:
        return client_context(ca=cluster.tls_ca, certificate=cluster.tls_certificate, key=cluster.tls_key)
    except ConfigurationError as error:
        raise KafkaFault(error.message, hint=error.hint, blame=Blame.SETTINGS) from None


def _login(cluster: Cluster) -> dict[str, Any]:
    return {
        "sasl_mechanism": cluster.sasl_mechanism,
        "sasl_plain_username": cluster.username,
        "sasl_plain_password": _secret(cluster.password_file),
    }


def _secret(path: Path | None) -> str:
    if path is None:
        hint = "set password_file beside username"
        raise KafkaFault("the login to the broker has no password", hint=hint, blame=Blame.SETTINGS)
    try:
        return path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        message = f"the password file {path} cannot be read: {reason}"
        raise KafkaFault(message, hint="check path and mode", blame=Blame.SETTINGS) from None
