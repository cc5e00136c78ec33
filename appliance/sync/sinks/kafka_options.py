"""What a Kafka sink is told: plain values, read from the configuration by the room's main."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from appliance.model.routes import ACCESS, TRANSCODE

# Which kinds of events a profile takes: without a receiver at the centre ("direct") the box itself
# tells of stored objects. The receiver tells of nothing else: states and images come from the boxes.
KINDS_BY_PROFILE: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "ours": ("state", "image", TRANSCODE, ACCESS),
    "upstream": ("state", "image", ACCESS),
    "direct": ("state", "image", "object", ACCESS),
    "receiver": ("object", ACCESS),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """One Kafka destination.

    `bootstrap_servers` are "host:port". `access_records` tells of reads, too, `transcode_records` of what no
    decoder could read. `topics` overrides topic names by "state", "image", "log", "storage", "transcode" or
    "access". `source` names this box in ce_source (the site's id).
    `password_file` and `signature_key_file` are read when a connection is made, never kept in the configuration.
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
    access_records: bool = True
    transcode_records: bool = True

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of events that are published."""
        wanted = {ACCESS: self.access_records, TRANSCODE: self.transcode_records}
        return tuple(kind for kind in KINDS_BY_PROFILE[self.profile] if wanted.get(kind, True))
