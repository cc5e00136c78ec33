"""The table `central`: the receiver, the loader, and the servers they work with. A box needs none of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from appliance.config.credentials import credential
from appliance.config.kinds import (
    GIB,
    AbsolutePath,
    Count,
    CredentialFile,
    Host,
    HttpUrl,
    Port,
    Seconds,
    ServerAddress,
    TopicName,
)
from appliance.config.section import Section

# What libpq takes as it stands, and no connection string within one.
DatabaseName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]{1,63}$")]

RecordKind = Literal["state", "image", "log", "storage", "transcode", "access"]


class ReceiverSection(Section):
    """The door that boxes send objects to."""

    host: Host = "127.0.0.1"
    """Address of the door for programs of this machine, and for sites that have a token."""

    port: Port = 8090
    """TCP port of that door."""

    socket: AbsolutePath | None = None
    """Socket for nginx, which checks the sites' certificates; unset means that no certificate is believed."""

    threads: Count = 16
    """Requests served at a time."""

    connection_limit: Count = 1000
    """Most open connections of each door."""

    max_body_bytes: Count = 17 * GIB
    """Largest body of one request."""

    receipt_page: Annotated[int, Field(ge=1, le=1000)] = 500
    """Most receipts in one answer."""

    import_receipts: bool = True
    """Take over the receipts that the loader writes into PostgreSQL; boxes wait for them before they let go."""

    import_seconds: Seconds = 2
    """Seconds between two looks at those."""

    upload_quota_bytes: Count = 64 * GIB
    """Bytes that all unfinished uploads of huge objects together may announce."""

    upload_days: Seconds = 7
    """Days after which an upload that nobody goes on with is given up; the last answers are kept as long."""


class PostgresSection(Section):
    """The database of studies, series and receipts."""

    host: Host = "127.0.0.1"
    """Address of the PostgreSQL server; the name must be in its certificate."""

    port: Port = 5432
    """TCP port of the server."""

    database: DatabaseName = "dicom"
    """Database that holds the tables."""

    user: DatabaseName = "appliance"
    """User to log in as; it needs no right to create tables once `appliance central init` has run."""

    password_file: CredentialFile | None = None
    """File with the password and nothing else; unset where a client certificate is the login."""

    tls: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] | None = None
    """How TLS is used, in libpq's words; unset means verify-full, and prefer where host is this machine."""

    tls_ca: CredentialFile | None = None
    """PEM file with the authorities the server's certificate must come from; unset means the system's."""

    tls_certificate: CredentialFile | None = None
    """PEM file with our own certificate, where the server asks for one."""

    tls_key: CredentialFile | None = None
    """PEM file with its private key, unencrypted, readable by the service alone."""

    connect_timeout: Annotated[int, Field(ge=2, le=300)] = 10
    """Seconds a connection may take to come about."""

    statement_timeout: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = 30
    """Seconds one statement may take; a server that says nothing for longer counts as gone."""

    lock_timeout: Annotated[float, Field(ge=0.1, le=3600, allow_inf_nan=False)] = 10
    """Seconds one statement may wait for rows that somebody else holds."""

    @model_validator(mode="after")
    def _postgres_certificate_has_its_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together; set both or none")
        return self

    def values(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """Return what a connection is made from, by name. Raises ConfigurationError for a file nobody handed over."""
        found: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        for name in ("password_file", "tls_ca", "tls_certificate", "tls_key"):
            found[name] = credential(found[name], environ, f"central.postgres.{name}")
        return found | {"tls": self.tls or ("prefer" if is_this_machine(self.host) else "verify-full")}


class DorisSection(Section):
    """The database of images, objects and accesses."""

    url: HttpUrl = "http://127.0.0.1:8030"
    """Root of a frontend (FE), its HTTP port."""

    database: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")] = "dicom"
    """Database that holds the tables."""

    user: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]{1,64}$")] = "appliance"
    """User to load as; LOAD_PRIV on the database is enough."""

    password_file: CredentialFile | None = None
    """File with the password and nothing else; read again at every load."""

    tls_ca: CredentialFile | None = None
    """PEM file with the authorities the certificates must come from, with https; unset means the system's."""

    cluster: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = "edge"
    """Name that labels of loads begin with. Give another one to load again what was deleted in the last 12 hours."""

    backends: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.:\[\]_-]{1,255}$")], ...] = ()
    """Backends (BE) that rows and password may go to, each host or host:port; empty means where the frontend says."""

    allow_plain_backends: bool = False
    """Let a frontend with https send us to a backend without: Doris does so unless its backends have TLS too."""

    buckets: Annotated[int, Field(ge=1, le=768)] = 16
    """Buckets of each table in the SQL that `appliance central init` prints."""

    replication: Annotated[int, Field(ge=1, le=9)] = 3
    """Copies of each bucket there; 1 where there is one backend."""

    connect_timeout: Seconds = 10
    """Seconds to reach a frontend or backend."""

    load_timeout: Seconds = 60
    """Seconds one load may take."""

    label_wait: Seconds = 20
    """Seconds to ask for a load whose fate is unknown, before its batch is put back."""

    def values(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """Return what a target is made from, by name. Raises ConfigurationError for a file nobody handed over."""
        found: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        for name in ("password_file", "tls_ca"):
            found[name] = credential(found[name], environ, f"central.doris.{name}")
        return {name: value for name, value in found.items() if name not in ("buckets", "replication")}


class BrokerSection(Section):
    """The Kafka cluster that the loader reads."""

    bootstrap_servers: Annotated[tuple[ServerAddress, ...], Field(min_length=1)] = ("127.0.0.1:9092",)
    """Brokers to ask first, each host:port."""

    topics: dict[RecordKind, TopicName] = Field(default_factory=dict)
    """Names of topics that differ from the usual ones, by `state`, `image`, `log`, `storage`, `transcode`, `access`."""

    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the brokers are spoken to."""

    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How to log in, with a `security` that begins with SASL."""

    username: str = ""
    """Name to log in with."""

    password_file: CredentialFile | None = None
    """File with the password and nothing else; read again at every new connection."""

    tls_ca: CredentialFile | None = None
    """PEM file with the authorities that the brokers' certificates must come from; unset means the system's."""

    tls_certificate: CredentialFile | None = None
    """PEM file with our own certificate, where the brokers ask for one."""

    tls_key: CredentialFile | None = None
    """PEM file with its private key, unencrypted, readable by the service alone."""

    client_id: str = Field(default="dicom-edge-loader", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    """Name by which the brokers' logs know this loader."""

    @model_validator(mode="after")
    def _broker_settings_fit(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together; set both or none")
        if self.security.startswith("SASL") and not (self.username and self.password_file):
            raise ValueError(f"security = {self.security} needs username and password_file")
        if not self.security.startswith("SASL") and (self.username or self.password_file):
            raise ValueError(f"security = {self.security} logs in nowhere; set SASL_SSL, or remove username and all")
        return self

    def values(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """Return what a connection is made from, by name. Raises ConfigurationError for a file nobody handed over."""
        found: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        for name in ("password_file", "tls_ca", "tls_certificate", "tls_key"):
            found[name] = credential(found[name], environ, f"central.kafka.{name}")
        found["servers"] = found.pop("bootstrap_servers")
        del found["topics"]
        return found


class TopicsSection(Section):
    """How `appliance central init` makes topics."""

    partitions: Annotated[int, Field(ge=1, le=10_000)] = 12
    """Partitions of each topic: no more loaders than that share the work. It can be raised later, never lowered."""

    replication: Annotated[int, Field(ge=1, le=9)] = 3
    """Copies of each partition, on as many brokers; all but one of them must have a record before it counts."""

    retention_hours: Annotated[int, Field(ge=1, le=87_600)] = 168
    """Hours a record stays, loaded or not: the loaders may be down for less than that."""

    dead_letter_hours: Annotated[int, Field(ge=1, le=87_600)] = 2160
    """Hours a rejected record stays in its topic of dead letters."""


class LoaderSection(Section):
    """What takes records from the topics to the databases."""

    group: str = Field(default="dicom-edge-loader", pattern=r"^[A-Za-z0-9._-]{1,128}$")
    """Consumer group; loaders of one group share the partitions."""

    kinds: Annotated[tuple[RecordKind, ...], Field(min_length=1)] = (
        "state", "image", "log", "storage", "transcode", "access",
    )  # fmt: skip
    """Which topics this loader reads. Loaders that read different ones need groups of their own."""

    signatures: Literal["required", "optional"] = "required"
    """`optional` also takes records that nobody signed: then whoever may write to a topic speaks for every tenant."""

    image_store: Literal["doris", "postgres"] = "doris"
    """Where images, objects and logs go; with `postgres` no Doris is needed."""

    batch_rows: Annotated[int, Field(ge=1, le=5000)] = 2000
    """Most records of one partition that are loaded at a time."""

    batch_bytes: Annotated[int, Field(ge=1 << 10, le=8_000_000)] = 4_000_000
    """Most bytes of records that are loaded at a time."""

    linger_seconds: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.5
    """Seconds a smaller batch waits for more records; Doris likes few large loads."""

    max_record_bytes: Count = 1 << 20
    """Largest record that is read; a larger one is a dead letter."""

    session_seconds: Annotated[float, Field(ge=1, le=1800, allow_inf_nan=False)] = 45
    """Seconds without a sign of life after which the brokers give this loader's partitions to another."""

    unknown_error_attempts: Count = 10
    """How often a record alone may meet an error of unknown kind before it is a dead letter."""

    backoff_base: Seconds = 1
    """Seconds of the first wait for a server that is away; each further one may be twice as long."""

    backoff_cap: Seconds = 60
    """Longest wait for a server that is away, in seconds."""

    metrics_port: Port | None = None
    """Port on 127.0.0.1 that serves /metrics; unset means none."""


class CentralSection(Section):
    """The centre. A box needs none of it."""

    registry: AbsolutePath = Path("/etc/dicom-edge-appliance/sites")
    """Directory with one file per site: its tenant, its keys; `appliance central site` writes them."""

    signature_key_file: CredentialFile | None = None
    """PEM file with the private key that signs receipts."""

    receiver: ReceiverSection = ReceiverSection()
    """The door that boxes send objects to."""

    postgres: PostgresSection = PostgresSection()
    """The database of studies, series and receipts."""

    doris: DorisSection = DorisSection()
    """The database of images, objects and accesses."""

    kafka: BrokerSection = BrokerSection()
    """The Kafka cluster that the loader reads."""

    topics: TopicsSection = TopicsSection()
    """How `appliance central init` makes topics."""

    loader: LoaderSection = LoaderSection()
    """What takes records from the topics to the databases."""


def is_this_machine(host: str) -> bool:
    """Say whether a host is a loopback address, or the name of one."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
