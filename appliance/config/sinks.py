"""The sinks: a table `sync.sinks.NAME` each, whose other keys depend on its `kind`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from appliance.config.hours import Days, Hours, span, weekdays
from appliance.config.kinds import (
    MIB,
    AbsolutePath,
    AeTitle,
    Count,
    CredentialFile,
    HeaderName,
    HeaderValue,
    HttpUrl,
    Modality,
    OptionalHttpUrl,
    ProxyUrl,
    Seconds,
    ServerAddress,
    Size,
    TopicName,
    Uid,
)
from appliance.config.section import Section
from appliance.model.routes import ACCESS, EVENT_KINDS, TRANSCODE

DEFAULT_KIND = "directory"


class FilterEntry(Section):
    """Which objects are meant. Every list that is not empty must hold the object's value."""

    modalities: tuple[Modality, ...] = ()
    """Modalities, such as CT; empty means all."""

    ae_titles: tuple[AeTitle, ...] = ()
    """Calling AE titles the objects came from; empty means all."""

    sop_classes: tuple[Uid, ...] = ()
    """SOP Class UIDs; empty means all."""


class PriorityEntry(FilterEntry):
    """A place in the queue for some of the objects. The first rule that applies counts."""

    older_than_days: Annotated[int, Field(ge=0, le=36500)] | None = None
    """Only studies whose date is more than so many days ago; unset means any age."""

    priority: int = Field(ge=0, le=9)
    """0 goes first, 9 last; what no rule names has 5."""


class RateEntry(Section):
    """A limit for some hours of the week. The first entry that holds counts; without one there is no limit."""

    days: Days = "mon-sun"
    """Days of the week on which the hours begin, such as mon-fri or sat,sun."""

    hours: Hours = "00-24"
    """Hours of the day in the zone `archive.timezone`, the end not included; 22-06 runs past midnight."""

    bytes_per_second: Size
    """Most bytes sent in a second, on average; 0 sends nothing."""

    @property
    def weekdays(self) -> frozenset[int]:
        """The days as numbers, Monday being 0."""
        return weekdays(self.days)

    @property
    def span(self) -> tuple[int, int]:
        """First and last hour; the last is not included."""
        return span(self.hours)


class CommonEntry(Section):
    """What every kind of sink has."""

    required: bool = True
    """Whether an object must be proven to be here before the box may ever let go of it."""

    active: bool = True
    """Whether this sink is part of the box at all; what it missed while it was not is sent afterwards."""

    filter: FilterEntry = FilterEntry()
    """Which objects go here; nothing set means all."""

    order: Literal["fifo", "newest"] = "fifo"
    """Within a priority: `fifo` in the order of arrival, `newest` the study first that began to arrive last."""

    priorities: tuple[PriorityEntry, ...] = ()
    """Rules of what goes first."""

    rates: tuple[RateEntry, ...] = ()
    """Limits of the line by weekday and hour."""

    batch_rows: Count | None = None
    """Most deliveries taken at a time; unset means `sync.batch_rows`."""

    batch_bytes: Count | None = None
    """Most bytes of objects taken at a time; unset means `sync.batch_bytes`."""

    lease_seconds: Seconds | None = None
    """As `sync.lease_seconds`, for this sink alone."""

    @property
    def event_kinds(self) -> tuple[str, ...]:
        """Which kinds of events go here."""
        return EVENT_KINDS

    @property
    def wants_proof(self) -> bool:
        """Whether delivered objects are read back and compared."""
        return False

    @property
    def proves(self) -> bool:
        """Whether what this sink confirms may stand for the bytes on this box."""
        return False

    @property
    def places(self) -> tuple[str, ...]:
        """Names of where this sink leads, without secrets. It leads elsewhere when none of them stays."""
        return ()


class DirectoryEntry(CommonEntry):
    """Records and files below a path."""

    kind: Literal["directory"] = "directory"
    """`directory` writes records and files below `path`."""

    path: AbsolutePath | None = None
    """Where it writes; unset means a directory of the sink's name below `home`."""

    @property
    def places(self) -> tuple[str, ...]:
        """Its directory."""
        return (f"directory {self.path}" if self.path else "directory of its own",)


class MemoryEntry(CommonEntry):
    """Takes everything and forgets it."""

    kind: Literal["memory"]
    """`memory` forgets everything, for trials."""

    @property
    def places(self) -> tuple[str, ...]:
        """Nowhere, but not where it led before."""
        return ("memory",)


class _TlsEntry(CommonEntry):
    tls_ca: CredentialFile | None = None
    """PEM file with the authorities that the destination's certificate must come from; unset means the system's."""

    tls_certificate: CredentialFile | None = None
    """PEM file with this box's own certificate, where the destination asks for one."""

    tls_key: CredentialFile | None = None
    """PEM file with its private key, unencrypted, readable by the service alone."""

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together; set both or none")
        return self


class KafkaEntry(_TlsEntry):
    """Records in the topics of an Apache Kafka cluster."""

    kind: Literal["kafka"]
    """`kafka` publishes records, no pixels, in topics."""

    bootstrap_servers: tuple[ServerAddress, ...] = Field(min_length=1)
    """Brokers to ask first, each host:port."""

    profile: Literal["ours", "upstream", "direct", "receiver"] = "ours"
    """`ours`, `upstream`: states and images. `direct`: a record per stored object, too. `receiver`: these alone."""

    access_records: bool = True
    """Tell of every read of patient data over HTTP, too; the topic has to be there."""

    transcode_records: bool = True
    """Tell of objects whose pixels no decoder here can read, too (profile `ours` alone); the topic has to be there."""

    topics: dict[Literal["state", "image", "log", "storage", "transcode", "access"], TopicName] = Field(
        default_factory=dict
    )
    """Names of topics that differ from the usual ones, by `state`, `image`, `log`, `storage`, `transcode`, `access`."""

    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the brokers are spoken to."""

    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How to log in, with a `security` that begins with SASL."""

    username: str = ""
    """Name to log in with."""

    password_file: CredentialFile | None = None
    """File with the password and nothing else."""

    compression: Literal["none", "gzip", "zstd"] = "none"
    """How batches of records are compressed."""

    signature_key_file: CredentialFile | None = None
    """PEM file with the private key that signs every record; unset means no signatures."""

    client_id: str = Field(default="dicom-edge-appliance", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    """Name by which the brokers' logs know this box."""

    delivery_timeout: Seconds = 30.0
    """Seconds after which records that no broker has confirmed count as not sent."""

    @property
    def event_kinds(self) -> tuple[str, ...]:
        """Pixels never go here; `direct` tells of the objects, and `receiver` of nothing else: boxes tell the rest."""
        kinds = {"direct": EVENT_KINDS, "receiver": ("object",)}.get(self.profile, ("state", "image"))
        told = self.transcode_records and self.profile == "ours"
        return (*kinds, *((TRANSCODE,) if told else ()), *((ACCESS,) if self.access_records else ()))

    @property
    def places(self) -> tuple[str, ...]:
        """Its brokers with its topics: one broker that stays is enough, a topic that changes is another place."""
        topics = "".join(f" {name}={topic}" for name, topic in sorted(self.topics.items()))
        return tuple(f"kafka {server}{topics}" for server in self.bootstrap_servers)

    @model_validator(mode="after")
    def _login_is_complete(self) -> Self:
        if self.security.startswith("SASL") and not (self.username and self.password_file):
            raise ValueError(f"security = {self.security} needs username and password_file")
        if not self.security.startswith("SASL") and (self.username or self.password_file):
            raise ValueError(f"security = {self.security} logs in nowhere; set SASL_SSL, or remove username and all")
        return self


class StowEntry(_TlsEntry):
    """Whole objects in a DICOMweb store."""

    kind: Literal["stow"]
    """`stow` sends whole objects to a DICOMweb store."""

    url: HttpUrl
    """Root of the DICOMweb service; `/studies` follows it."""

    read_url: OptionalHttpUrl = ""
    """Root to read back from, where that is another one (dicom-server-rs); empty means `url`."""

    token_file: CredentialFile | None = None
    """File with a bearer token and nothing else; read again whenever it changes."""

    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """More headers of every request, such as x-tenant. Never secrets: these are shown."""

    proxy: ProxyUrl = ""
    """HTTP proxy to go through; empty means none, whatever the environment says."""

    batch_count: Count = 20
    """Most objects in one request."""

    batch_bytes: Count | None = 64 * MIB
    """Most bytes in one request; a single larger object still goes."""

    connect_timeout: Seconds = 10
    """Seconds to reach the service."""

    read_timeout: Seconds = 60
    """Seconds without a byte of the answer."""

    verify: Literal["off", "readback", "receipts"] = "off"
    """`readback`: read every object back and compare its digest; `receipts`: fetch the receiver's signed receipts."""

    verify_interval_hours: Seconds = 24
    """Hours between rounds of reading back."""

    receipt_key_file: CredentialFile | None = None
    """PEM file with the receiver's public keys, any of which may have signed a receipt; read again at every round."""

    receipts_seconds: Seconds = 30
    """Seconds between two rounds of fetching receipts; after a delivery it is done at once."""

    offset_upload: Literal["auto", "off"] = "auto"
    """`auto`: send huge objects in pieces that can be resumed, where the service offers it."""

    offset_threshold: Count = 512 * MIB
    """Bytes from which an object counts as huge."""

    @property
    def event_kinds(self) -> tuple[str, ...]:
        """Objects alone: what describes them is read from them there."""
        return ("object",)

    @property
    def places(self) -> tuple[str, ...]:
        """Its root."""
        return (f"stow {self.url.rstrip('/')}",)

    @property
    def proves(self) -> bool:
        """What it has read back or confirmed by receipt."""
        return True

    @property
    def wants_proof(self) -> bool:
        """With `verify` set."""
        return self.verify != "off"

    @model_validator(mode="after")
    def _receipts_can_be_verified(self) -> Self:
        if self.verify == "receipts" and self.receipt_key_file is None:
            raise ValueError("verify = receipts needs receipt_key_file")
        return self


ENTRIES: dict[str, type[CommonEntry]] = {
    "directory": DirectoryEntry,
    "kafka": KafkaEntry,
    "memory": MemoryEntry,
    "stow": StowEntry,
}


def _kind(value: Any) -> str:
    """Name the kind of an entry that is not read yet."""
    if isinstance(value, dict):
        return str(value.get("kind", DEFAULT_KIND))
    return str(getattr(value, "kind", DEFAULT_KIND))


SinkEntry = Annotated[
    Annotated[DirectoryEntry, Tag("directory")]
    | Annotated[KafkaEntry, Tag("kafka")]
    | Annotated[MemoryEntry, Tag("memory")]
    | Annotated[StowEntry, Tag("stow")],
    Discriminator(_kind),
]
