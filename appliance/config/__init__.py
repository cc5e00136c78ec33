"""The configuration: what may be set, where it is read from, what is wrong with it."""

from appliance.config.loading import DEFAULT_PATH, Loaded, load
from appliance.config.settings import (
    ArchiveSection,
    LogSection,
    PeerEntry,
    ScpSection,
    Settings,
    SinkEntry,
    SiteSection,
    SyncSection,
    WebSection,
)

__all__ = [
    "DEFAULT_PATH",
    "ArchiveSection",
    "Loaded",
    "LogSection",
    "PeerEntry",
    "ScpSection",
    "Settings",
    "SinkEntry",
    "SiteSection",
    "SyncSection",
    "WebSection",
    "load",
]
