"""The configuration: what may be set, where it is read from, what is wrong with it."""

from appliance.config.certificate_files import certificate_files
from appliance.config.credentials import credential
from appliance.config.loading import DEFAULT_PATH, Loaded, load
from appliance.config.mqtt import MqttSection
from appliance.config.settings import (
    ArchiveSection,
    LogSection,
    PeerEntry,
    ScpSection,
    Settings,
    SiteSection,
    SyncSection,
)
from appliance.config.sinks import CommonEntry, DirectoryEntry, KafkaEntry, MemoryEntry, SinkEntry, StowEntry
from appliance.config.web import WebSection

__all__ = [
    "DEFAULT_PATH",
    "ArchiveSection",
    "CommonEntry",
    "DirectoryEntry",
    "KafkaEntry",
    "Loaded",
    "LogSection",
    "MemoryEntry",
    "MqttSection",
    "PeerEntry",
    "ScpSection",
    "Settings",
    "SinkEntry",
    "SiteSection",
    "StowEntry",
    "SyncSection",
    "WebSection",
    "certificate_files",
    "credential",
    "load",
]
