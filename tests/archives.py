"""Archives for tests: settings for a small one below a temporary directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.clock import Clock
from appliance.model.records import ConflictPolicy, Door, Origin
from appliance.model.routes import Route

SINK = "outbound"


def small_settings(home: Path, **overrides: Any) -> ArchiveSettings:
    """Return settings without reserve or ballast and with one sink; `overrides` by field name."""
    values: dict[str, Any] = {"reserve_bytes": 0, "ballast_bytes": 0, "sinks": (Route(SINK),)}
    return ArchiveSettings(home=home, **{**values, **overrides})


def new_archive(home: Path, clock: Clock | None = None, **overrides: Any) -> Archive:
    """Initialise and open an archive; the caller closes it."""
    settings = small_settings(home, **overrides)
    Archive.initialise(settings, clock)
    return Archive.open(settings, "test", clock)


def sender(name: str = "CT1", policy: ConflictPolicy = ConflictPolicy.ASK, **values: Any) -> Origin:
    """Return a modality that sends by C-STORE from 192.0.2.1."""
    return Origin(Door.DIMSE, name, "192.0.2.1", conflict_policy=policy, **values)
