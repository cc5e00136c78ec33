"""What the doctor looks at, in the order it tells of: one row per kind of check."""

from __future__ import annotations

from appliance.care.doctor import (
    certificates,
    destinations,
    disk,
    doors,
    front,
    installed,
    listeners,
    local_sockets,
    machine,
    network,
    ownership,
    stores,
    working,
)
from appliance.care.doctor.examining import Check

CHECKS: tuple[Check, ...] = (
    Check("configuration", installed.configuration),
    Check("socket", installed.socket_in_step, installed.sockets),
    Check("proxy", installed.proxy),
    Check("accounts", ownership.accounts),
    Check("home", ownership.home),
    Check("owner", ownership.strangers, inside=True),
    Check("secret", ownership.secret, ownership.secrets, inside=True),
    Check("space", disk.space),
    Check("file-system", disk.file_system),
    Check("fsync", disk.latency, seconds=20.0, inside=True),
    Check("encryption", disk.encryption),
    Check("swap", disk.swap),
    Check("memory", machine.memory),
    Check("clock", machine.clock),
    Check("zone", machine.zone),
    Check("schema", stores.schema, inside=True),
    Check("database", stores.soundness, seconds=20.0, inside=True),
    Check("write-ahead-log", stores.log, inside=True),
    Check("backup", stores.backup),
    Check("room", working.room, working.rooms, inside=True),
    Check("units", working.units),
    Check("port", listeners.port, listeners.ports, inside=True),
    Check("local-socket", local_sockets.local_socket, local_sockets.rooms, inside=True),
    Check("pages", front.pages, front.addresses, seconds=15.0, inside=True),
    Check("echo", doors.c_echo, doors.echoes, seconds=30.0),
    Check("peers", doors.peers),
    Check("exposure", doors.exposure),
    Check("login", stores.login, inside=True),
    Check("certificate", certificates.certificate, certificates.named),
    Check("name", network.name, network.names),
    Check("line", network.line, network.places, seconds=15.0, inside=True),
    Check("sink", destinations.sink, working.sinks, seconds=30.0, inside=True),
    Check("sink-clock", destinations.clock, destinations.telling_time, seconds=30.0, inside=True),
    Check("queue", working.deliveries, working.sinks, inside=True),
    Check("broker", destinations.broker, destinations.brokers, seconds=15.0, inside=True),
)
# Worth looking at where there is no configuration to go by.
WITHOUT_SETTINGS = frozenset({"memory", "clock", "swap", "units"})
