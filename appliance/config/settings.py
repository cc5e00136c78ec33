"""Every setting with its default and its meaning; docs/configuration.md is made from this file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from appliance.config.backup import BackupSection
from appliance.config.central import CentralSection
from appliance.config.codec import CodecSection
from appliance.config.kinds import (
    GIB,
    KIB,
    MIB,
    AbsolutePath,
    AeTitle,
    Charset,
    Count,
    Fingerprint,
    Host,
    Name,
    Network,
    Port,
    Seconds,
    Size,
    Tenant,
    TimeZone,
    Uid,
)
from appliance.config.mqtt import MqttSection
from appliance.config.retention import POLICY, RetentionSection
from appliance.config.routing import route
from appliance.config.section import Section
from appliance.config.sinks import DirectoryEntry, KafkaEntry, SinkEntry, StowEntry
from appliance.config.web import WebSection
from appliance.model.retention import RetentionPolicy

ENV_PREFIX = "APPLIANCE__"
ENV_DELIMITER = "__"
# Seconds that a Kafka sink may need beside its delivery timeout: to connect, and to give up.
KAFKA_MARGIN = 20.0


class SiteSection(Section):
    """Who this box is."""

    id: Name = "site-1"
    """Name of this box in every record it sends: lower-case letters, digits, hyphens."""

    tenant: Tenant = "default"
    """Whose data this box holds. Fixed when the archive is initialised."""


class ArchiveSection(Section):
    """Limits of the store."""

    reserve_bytes: Size = GIB
    """Free space, in bytes, below which new objects are refused, so that deliveries can go on."""

    ballast_bytes: Size = 64 * MIB
    """Size of a file given up when the disk is full all the same, so that the database can still write."""

    quarantine_quota_bytes: Size = GIB
    """Most bytes kept of objects that could not be read; the oldest of them give way."""

    max_object_bytes: Count = 16 * GIB
    """Largest object accepted, in bytes."""

    max_inflated_bytes: Count = 2 * GIB
    """Largest size of a deflated data set once inflated, in bytes."""

    max_nesting: Count = 64
    """Deepest nesting of sequences accepted."""

    timezone: TimeZone = "UTC"
    """IANA time zone of dates and times that carry none, and of dates that stand in for missing ones."""


class PeerEntry(Section):
    """A system that stores to this box."""

    ae_title: AeTitle
    """Its calling AE title."""

    address: Network = ""
    """IP address or network (CIDR) it calls from; empty means anywhere."""

    assumed_charset: Charset = ""
    """Character set of its objects that declare none: a value of (0008,0005), or a codec name such as gbk."""

    conflict_policy: Literal["ask", "newest", "first"] = "ask"
    """Which content becomes current when it sends other bytes under a known SOP Instance UID."""

    transfer_syntaxes: tuple[Uid, ...] = ()
    """Transfer syntax UIDs in the order they are preferred; empty means lossless before lossy."""

    certificate_sha256: tuple[Fingerprint, ...] = ()
    """SHA-256 of its TLS certificates; with any, it is let in by TLS and with one of them alone."""


class ScpSection(Section):
    """The DICOM door."""

    host: Host = "127.0.0.1"
    """Address to listen on; 0.0.0.0 or :: for every network."""

    port: Port = 11112
    """TCP port of DICOM without TLS."""

    additional_ports: tuple[Port, ...] = ()
    """Further TCP ports of DICOM without TLS, such as 104. One below 1024 needs systemd's socket or a capability."""

    ae_title: AeTitle = "APPLIANCE"
    """AE title of this box."""

    require_called_ae: bool = False
    """Reject associations that call another AE title than ours."""

    accept_unknown: bool | None = None
    """Accept callers that are not in `scp.peers`. Unset: only while `scp.host` is a loopback address."""

    peers: tuple[PeerEntry, ...] = ()
    """The systems that may store to this box."""

    private_sop_classes: tuple[Uid, ...] = ()
    """SOP Class UIDs accepted for storage besides those of the standard."""

    tls_port: Port | None = None
    """TCP port of DICOM with TLS; unset means none."""

    tls_certificate: AbsolutePath | None = None
    """PEM file with the certificate of this box, followed by its chain."""

    tls_key: AbsolutePath | None = None
    """PEM file with the private key, unencrypted, readable by the service alone."""

    tls_ca: AbsolutePath | None = None
    """PEM file with the authorities whose client certificates are required; unset means none is asked for."""

    tls_crl: AbsolutePath | None = None
    """PEM file with a list of revoked certificates for each authority of tls_ca; one that has ended lets nobody in."""

    max_associations: Count = 64
    """Associations served at the same time."""

    max_associations_per_peer: Count = 16
    """Of these, the most from one IP address."""

    max_waiting: Count = 256
    """Connections held that are not an association yet."""

    request_timeout: Seconds = 10
    """Seconds a new connection has to ask for an association."""

    tls_timeout: Seconds = 5
    """Seconds a new connection has for its TLS handshake."""

    network_timeout: Seconds = 60
    """Seconds without a byte after which an association is aborted."""

    max_pdu: int = Field(default=128 * KIB, ge=4 * KIB, le=16 * MIB)
    """Longest PDU we ask peers to send, in bytes."""

    drain_timeout: Seconds = 30
    """Seconds that running associations have to finish when the room is stopped."""

    @model_validator(mode="after")
    def _tls_is_complete(self) -> Self:
        if self.tls_port is not None and (self.tls_certificate is None or self.tls_key is None):
            raise ValueError("tls_port needs tls_certificate and tls_key")
        if self.tls_crl is not None and self.tls_ca is None:
            raise ValueError("tls_crl needs tls_ca: without it no certificate is asked for")
        return self

    @model_validator(mode="after")
    def _ports_are_distinct(self) -> Self:
        ports = [self.port, *self.additional_ports, *([self.tls_port] if self.tls_port is not None else [])]
        if len(ports) != len(set(ports)):
            raise ValueError("port, additional_ports and tls_port name a port twice; each is for one door")
        return self

    @model_validator(mode="after")
    def _peers_are_distinct(self) -> Self:
        seen = [(peer.ae_title, peer.address) for peer in self.peers]
        if len(seen) != len(set(seen)):
            raise ValueError("peers has two entries with the same ae_title and address")
        return self


def _outbound() -> dict[str, SinkEntry]:
    return {"outbound": DirectoryEntry()}


class SyncSection(Section):
    """The way out."""

    sinks: dict[Name, SinkEntry] = Field(default_factory=_outbound)
    """The sinks, each a table `sync.sinks.NAME`. Setting any of them replaces the default one."""

    batch_rows: Count = 200
    """Most deliveries taken at a time."""

    batch_bytes: Count = 64 * MIB
    """Most bytes of objects taken at a time; a single larger object still goes."""

    lease_seconds: Seconds = 60
    """Seconds after which deliveries taken by a process that died are taken again."""

    poll_seconds: Seconds = 1.0
    """Seconds between looks at an empty outbox."""

    unknown_error_attempts: Count = 10
    """Attempts before an error of unknown kind makes a delivery a dead letter."""

    backoff_base: Seconds = 1.0
    """Seconds before the second attempt; each further one waits twice as long."""

    backoff_cap: Seconds = 60.0
    """Longest wait between attempts, in seconds."""

    breaker_threshold: Count = 5
    """Connection failures in a row after which a sink is only probed."""

    @model_validator(mode="after")
    def _leases_outlast_deliveries(self) -> Self:
        for name, entry in self.sinks.items():
            lease = entry.lease_seconds or self.lease_seconds
            if isinstance(entry, KafkaEntry) and entry.delivery_timeout + KAFKA_MARGIN > lease:
                needs = f"delivery_timeout ({entry.delivery_timeout:g} s) and {KAFKA_MARGIN:g} s more"
                mend = f"lower sinks.{name}.delivery_timeout or raise sinks.{name}.lease_seconds"
                raise ValueError(f"sinks.{name}: {needs} must fit into its lease ({lease:g} s); {mend}")
        return self


class LogSection(Section):
    """What is written about the work."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severity written. DEBUG may contain patient data."""

    format: Literal["console", "json"] = "console"
    """`console` for people, `json` for machines: one object a line."""


class Settings(BaseSettings):
    """The whole configuration. It is handed its values; it never reads the environment by itself."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    home: AbsolutePath = Path("/var/lib/dicom-edge-appliance")
    """Directory of archive, database and everything else that must last."""

    runtime: AbsolutePath | None = None
    """Directory of what is gone after a restart; unset means `run` below `home`."""

    site: SiteSection = SiteSection()
    """Who this box is."""

    archive: ArchiveSection = ArchiveSection()
    """Limits of the store."""

    scp: ScpSection = ScpSection()
    """The DICOM door."""

    web: WebSection = WebSection()
    """The HTTP door."""

    codec: CodecSection = CodecSection()
    """Decoding of pixels, in child processes."""

    sync: SyncSection = SyncSection()
    """The way out."""

    retention: RetentionSection = RetentionSection()
    """What may leave the box again. Nothing does while none of the three limits is set."""

    backup: BackupSection = BackupSection()
    """Copies on another disk. The timer takes none while `directory` is unset."""

    mqtt: MqttSection = MqttSection()
    """The report to central IT. Nothing depends on it."""

    central: CentralSection = CentralSection()
    """The centre. A box needs none of it."""

    log: LogSection = LogSection()
    """What is written about the work."""

    @field_validator("retention")
    @classmethod
    def _retention_can_work(cls, retention: RetentionSection, info: ValidationInfo) -> RetentionSection:
        archive, sync = info.data.get("archive"), info.data.get("sync")
        if archive and retention.min_free_bytes is not None and retention.min_free_bytes <= archive.reserve_bytes:
            raise ValueError(
                f"min_free_bytes must be more than archive.reserve_bytes ({archive.reserve_bytes}):"
                " new objects are refused before it is reached; raise the one or lower the other"
            )
        source = retention.recall_from
        if sync and source is not None and not isinstance(sync.sinks.get(source), StowEntry):
            raise ValueError(f"recall_from = {source} is no sink of kind stow; name one of sync.sinks")
        return retention

    @property
    def runtime_directory(self) -> Path:
        """Where rooms publish their numbers."""
        return self.runtime or self.home / "run"

    def archive_values(self) -> dict[str, Any]:
        """Return the fields of the archive's own settings by name; the archive reads no configuration itself."""
        routes = tuple(route(name, sink) for name, sink in self.sync.sinks.items() if sink.active)
        identity = {"home": self.home, "tenant": self.site.tenant, "site": self.site.id}
        retention = RetentionPolicy(**{name: getattr(self.retention, name) for name in POLICY})
        return {**identity, **self.archive.model_dump(), "sinks": routes, "retention": retention}

    def sink_path(self, name: str) -> Path:
        """Return where the directory sink `name` writes; KeyError for a sink that is not configured."""
        entry = self.sync.sinks[name]
        return (entry.path if isinstance(entry, DirectoryEntry) else None) or self.home / name

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the values handed in and no others: `load` has merged the sources by then."""
        return (init_settings,)
