"""A DICOMweb service as a client is told of it: where it is, whom to trust there, who we are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from appliance.errors import ConfigurationError

UPLOADS_PATH = "edge/v1/uploads"
RECEIPTS_PATH = "edge/v1/receipts"
LONGEST_TOKEN = 64 << 10


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One service. Paths are absolute; None or "" means not used; timeouts are seconds.

    `url` is the root of the DICOMweb service (`/studies` follows it), `token_file` is read at
    every request, so that a renewed token is used at once. `headers` go with every request.
    `read_url` is the root to read from where that is another one.
    """

    url: str
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    token_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    proxy: str = ""
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    read_url: str = ""

    @property
    def read_root(self) -> str:
        """Root that instances are read from."""
        return self.read_url or self.url

    @property
    def host(self) -> str:
        """Host and port, for messages to an operator."""
        parts = urlsplit(self.url)
        return parts.netloc.rpartition("@")[2]

    def studies(self) -> str:
        """Return the URL that instances are stored at."""
        return f"{self.url.rstrip('/')}/studies"

    def instance(self, study_uid: str, series_uid: str, sop_uid: str) -> str:
        """Return the URL that one instance is read from."""
        return f"{self.read_root.rstrip('/')}/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}"

    def uploads(self) -> str:
        """Return the URL of resumable uploads: it stands beside the DICOMweb root."""
        return self._beside(UPLOADS_PATH)

    def receipts(self) -> str:
        """Return the URL that receipts are fetched from, beside the DICOMweb root, too."""
        return self._beside(RECEIPTS_PATH)

    def _beside(self, path: str) -> str:
        parent = self.url.rstrip("/").rpartition("/")[0]
        inside = urlsplit(self.url).path.strip("/")
        return f"{parent if inside else self.url.rstrip('/')}/{path}"

    def token(self) -> str:
        """Return the bearer token as the file has it now, "" without a file. Raises ConfigurationError."""
        if self.token_file is None:
            return ""
        try:
            with self.token_file.open(encoding="ascii") as file:
                token = file.read(LONGEST_TOKEN).strip()
        except (OSError, ValueError) as error:
            hint = "check the file, its owner and its mode"
            raise ConfigurationError("the token file cannot be read", hint=hint) from error
        if not token or not token.isprintable() or " " in token:
            raise ConfigurationError("the token file holds no single token", hint="write the token alone into it")
        return token
