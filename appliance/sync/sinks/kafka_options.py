"""What a Kafka sink is told: plain values, read from the configuration by the room's main."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from appliance.model.cloud import IMAGE_TOPIC, LOG_TOPIC, STATE_TOPIC, STORAGE_TOPIC

TOPIC_NAMES: Mapping[str, str] = MappingProxyType({
    "state": STATE_TOPIC,
    "image": IMAGE_TOPIC,
    "log": LOG_TOPIC,
    "storage": STORAGE_TOPIC,
})  # fmt: skip

# Which kinds of events a profile takes: without a receiver at the centre ("direct") the box itself
# tells of stored objects.
KINDS_BY_PROFILE: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "ours": ("state", "image"),
    "upstream": ("state", "image"),
    "direct": ("state", "image", "object"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """One Kafka destination.

    `bootstrap_servers` are "host:port". `topics` overrides topic names by "state", "image", "log"
    or "storage". `source` names this box in ce_source (the site's id). `password_file` and
    `signature_key_file` are read when a connection is made, never kept in the configuration.
    Paths are absolute; None or "" means not used. `delivery_timeout` is in seconds.
    """

    bootstrap_servers: tuple[str, ...]
    source: str
    profile: str = "ours"
    topics: Mapping[str, str] = field(default_factory=dict)
    security: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    username: str = ""
    password_file: Path | None = None
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    compression: str = "none"
    signature_key_file: Path | None = None
    client_id: str = "dicom-edge-appliance"
    delivery_timeout: float = 30.0
