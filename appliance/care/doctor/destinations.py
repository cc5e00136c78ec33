"""Where the box sends to, asked as a delivery would ask: reached, logged in, topics there; and the MQTT broker."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.care.doctor.box import Box
from appliance.care.doctor.eyes import WRITE, rooms_may
from appliance.care.doctor.finding import Verdict, fault, ok, warning
from appliance.care.doctor.network import clock_against
from appliance.config import DirectoryEntry, StowEntry
from appliance.errors import ApplianceError
from appliance.monitor.main import broker_of
from appliance.monitor.probing import probe as probe_broker
from appliance.sync.main import options_of
from appliance.sync.probing import DATE, probe
from appliance.sync.sinks.contract import Unreachable

BROKER_SECONDS = 8.0
WORKS = {
    "directory": "it can be written",
    "kafka": "reached, logged in, the topics are there",
    "memory": "it forgets everything: for trials alone",
    "stow": "reached, logged in, it takes requests to store",
}


def sink(box: Box, name: str) -> Verdict:
    """Ask a sink's destination whether it would take a delivery."""
    entry = box.settings.sync.sinks[name]
    try:
        probe(options_of(box.settings, name, box.secrets))
    except Unreachable as error:
        return fault(error.message, error.hint or "check the service and the line to it")
    except ApplianceError as error:
        return fault(error.message, error.hint or f"check sync.sinks.{name}")
    if isinstance(entry, DirectoryEntry) and not _rooms_write(box, name):
        return fault("the user of the rooms may not write there", "give it to the owner of the home: chown")
    if entry.kind == "memory":
        return warning(WORKS[entry.kind], f"set sync.sinks.{name}.kind")
    proof = f"; verify = {entry.verify}" if isinstance(entry, StowEntry) else ""
    return ok(f"{WORKS[entry.kind]}{proof}")


def _rooms_write(box: Box, name: str) -> bool:
    path = box.settings.sink_path(name)
    return rooms_may(box, path if path.exists() else path.parent, WRITE)


def telling_time(box: Box) -> Sequence[str]:
    """Name the sinks that tell their time: those of HTTP."""
    sinks = box.settings.sync.sinks
    return tuple(name for name, entry in sinks.items() if entry.active and isinstance(entry, StowEntry))


def clock(box: Box, name: str) -> Verdict:
    """Hold our clock against a sink's."""
    options = options_of(box.settings, name, box.secrets)
    begun = box.clock.now() / 1e6
    try:
        said = probe(options)
    except ApplianceError:
        return clock_against("", begun, begun)
    return clock_against(said.get(DATE, ""), begun, box.clock.now() / 1e6)


def brokers(box: Box) -> Sequence[str]:
    """Name the MQTT broker, if there is one."""
    return (box.settings.mqtt.host,) if box.settings.mqtt.host else ()


def broker(box: Box, _host: str) -> Verdict:
    """Log in at the MQTT broker under a name of our own, and leave again."""
    found = broker_of(box.settings, box.secrets)
    refusal = probe_broker(found, f"dicom-edge-{box.settings.site.id}-doctor", BROKER_SECONDS)
    if refusal:
        return fault(refusal, "check mqtt.host, mqtt.port, mqtt.tls_*, and whom the broker lets in")
    return ok("reached, logged in")
