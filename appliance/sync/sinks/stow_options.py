"""What a STOW sink is told: plain values, read from the configuration by the room's main."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.dicomweb.endpoint import Endpoint

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class StowOptions:
    """One DICOMweb store.

    `url` is the root of its DICOMweb service. Paths are absolute and the files are read at use;
    None or "" means not used. Timeouts are seconds, sizes bytes. `offset_upload` is "auto" or
    "off": objects of `offset_threshold` and more go in resumable pieces where the store takes them. `read_url`
    is the root to read back from where that is not `url`.
    """

    url: str
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    token_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    proxy: str = ""
    batch_count: int = 20
    batch_bytes: int = 64 * MIB
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    verify: str = "off"
    verify_interval_hours: float = 24.0
    offset_upload: str = "auto"
    offset_threshold: int = 512 * MIB
    read_url: str = ""
    receipt_key_file: Path | None = None
    receipts_seconds: float = 30.0

    def endpoint(self) -> Endpoint:
        """Return the service as the DICOMweb client wants it."""
        return Endpoint(
            url=self.url,
            tls_ca=self.tls_ca,
            tls_certificate=self.tls_certificate,
            tls_key=self.tls_key,
            token_file=self.token_file,
            headers=self.headers,
            proxy=self.proxy,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            read_url=self.read_url,
        )
