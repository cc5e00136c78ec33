"""What the archive needs to know, and where its files lie below the home directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from appliance.model.retention import RetentionPolicy
from appliance.model.routes import Route

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Plain values handed down by a room's main. Sizes are bytes, `timezone` is an IANA name."""

    home: Path
    tenant: str = "default"
    site: str = "site-1"
    reserve_bytes: int = GIB
    ballast_bytes: int = 64 << 20
    quarantine_quota_bytes: int = GIB
    max_object_bytes: int = 16 * GIB
    max_inflated_bytes: int = 2 * GIB
    max_nesting: int = 64
    timezone: str = "UTC"
    sinks: tuple[Route, ...] = ()
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)

    @property
    def root(self) -> Path:
        """The file store: <root>/<tenant>/<study>/<series>/<instance>.dcm."""
        return self.home / "archive"

    @property
    def database(self) -> Path:
        """Index, outbox and custody ledger."""
        return self.home / "index.db"

    @property
    def spool(self) -> Path:
        """Objects on their way in; one directory per running process."""
        return self.home / "spool"

    @property
    def quarantine(self) -> Path:
        """Objects that could not be indexed."""
        return self.home / "quarantine"

    @property
    def ballast(self) -> Path:
        """Preallocated bytes, given up when the disk is full so that deliveries can still be recorded."""
        return self.home / "ballast"

    @property
    def housekeeping_lock(self) -> Path:
        """Held by the one process that checkpoints the database."""
        return self.home / "housekeeping.lock"
