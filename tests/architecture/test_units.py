"""The units of systemd/: they agree with the list of places, share one sandbox, and name verbs that exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import click
import pytest

from appliance import places
from appliance.cli.main import cli
from pki.cli.main import cli as pki_cli
from tests.architecture.source import ROOT

FOLDER = ROOT / "systemd"
MOST_EXPOSED = 1.5
COMMAND = "/usr/bin/appliance"

# What every service says, the same in each.
SANDBOX = {
    "AmbientCapabilities": [""],
    "CapabilityBoundingSet": [""],
    "DevicePolicy": ["closed"],
    "ExecPaths": ["/usr"],
    "KeyringMode": ["private"],
    "LimitCORE": ["0"],
    "LockPersonality": ["yes"],
    "MemoryDenyWriteExecute": ["yes"],
    "NoExecPaths": ["/"],
    "NoNewPrivileges": ["yes"],
    "PrivateDevices": ["yes"],
    "PrivateIPC": ["yes"],
    "PrivateMounts": ["yes"],
    "PrivateTmp": ["yes"],
    "ProcSubset": ["pid"],
    "ProtectClock": ["yes"],
    "ProtectControlGroups": ["yes"],
    "ProtectHome": ["yes"],
    "ProtectHostname": ["yes"],
    "ProtectKernelLogs": ["yes"],
    "ProtectKernelModules": ["yes"],
    "ProtectKernelTunables": ["yes"],
    "ProtectProc": ["invisible"],
    "ProtectSystem": ["strict"],
    "RemoveIPC": ["yes"],
    "RestrictNamespaces": ["yes"],
    "RestrictRealtime": ["yes"],
    "RestrictSUIDSGID": ["yes"],
    "SystemCallArchitectures": ["native"],
    "SystemCallErrorNumber": ["EPERM"],
}
FILTER = ["@system-service", "~@privileged @resources"]
# Who may call more, and what: renewed keys keep the group of those before them; decoders fence themselves in.
CALLS = {
    "dicom-edge-renew": ["@chown"],
    "dicom-edge-codec": ["landlock_create_ruleset landlock_add_rule landlock_restrict_self"],
}
# Who runs as somebody else than the appliance's user, and why: keys are root's, decoders are nobody's.
ROOTS = {"dicom-edge-renew"}
NOBODYS = {"dicom-edge-codec"}
# Rooms that others reach, or that reach others, over the network; everything else has none.
NETWORKED = {
    "dicom-edge-scp", "dicom-edge-web", "dicom-edge-sync", "dicom-edge-monitor", "dicom-edge-central-receiver",
    "dicom-edge-central-loader", "dicom-edge-central-sync",
}  # fmt: skip
SOCKETS = {
    "dicom-edge-scp": ("dicom", "127.0.0.1:11112"),
    "dicom-edge-scp-tls": ("dicom-tls", "127.0.0.1:2762"),
    "dicom-edge-web": ("web", str(places.WEB_SOCKET)),
    "dicom-edge-codec": ("codec", str(places.CODEC_SOCKET)),
    "dicom-edge-central-receiver": ("receiver", "/run/dicom-edge-central/receiver.sock"),
}


class Unit:
    """One file: its lines, by section and key; a key that stands twice has two values."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.kind = path.suffix[1:]
        self.sections: dict[str, dict[str, list[str]]] = {}
        section: dict[str, list[str]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                section = self.sections.setdefault(line.strip("[]"), defaultdict(list))
            elif line and not line.startswith("#"):
                key, separator, value = line.partition("=")
                assert separator, f"{path.name}: {line!r}"
                section[key].append(value)

    def all(self, section: str, key: str) -> list[str]:
        return list(self.sections.get(section, {}).get(key, []))

    def words(self, section: str, key: str) -> set[str]:
        return {word for value in self.all(section, key) for word in value.split()}

    def one(self, key: str, section: str = "Service") -> str:
        values = self.all(section, key)
        assert len(values) <= 1, f"{self.name}: {key} stands {len(values)} times"
        return values[0] if values else ""


UNITS = [Unit(path) for path in sorted(FOLDER.iterdir())]
BY_FILE = {f"{unit.name}.{unit.kind}": unit for unit in UNITS}
SERVICES = [pytest.param(unit, id=unit.name) for unit in UNITS if unit.kind == "service"]
ROOMS = [pytest.param(unit, id=unit.name) for unit in UNITS if unit.kind == "service" and unit.one("Type") == "notify"]
ONCE = [pytest.param(unit, id=unit.name) for unit in UNITS if unit.kind == "service" and unit.one("Type") == "oneshot"]


@pytest.mark.parametrize("unit", SERVICES)
def test_every_service_has_the_same_sandbox(unit: Unit) -> None:
    said = {key: unit.all("Service", key) for key in SANDBOX}
    assert said == SANDBOX
    assert unit.all("Service", "SystemCallFilter") == [*FILTER, *CALLS.get(unit.name, [])]


@pytest.mark.parametrize("unit", SERVICES)
def test_only_what_speaks_over_the_network_has_one(unit: Unit) -> None:
    families = unit.words("Service", "RestrictAddressFamilies")
    if unit.name in NETWORKED:
        assert families == {"AF_INET", "AF_INET6", "AF_UNIX"}
    else:
        assert (families, unit.one("PrivateNetwork"), unit.one("IPAddressDeny")) == ({"AF_UNIX"}, "yes", "any")


@pytest.mark.parametrize("unit", SERVICES)
def test_it_runs_as_the_appliances_user_unless_there_is_a_reason(unit: Unit) -> None:
    if unit.name in NOBODYS:
        assert unit.one("DynamicUser") == "yes" and not unit.one("User")
        return
    expected = ("root", "root") if unit.name in ROOTS else (places.USER, places.GROUP)
    assert (unit.one("User"), unit.one("Group")) == expected
    assert unit.one("PrivateUsers") == ("" if unit.name == "dicom-edge-renew" else "yes")
    assert unit.one("UMask") == ("0077" if unit.name in ROOTS else "0027")


@pytest.mark.parametrize("unit", SERVICES)
def test_it_writes_where_the_package_has_its_data(unit: Unit) -> None:
    allowed = {places.HOME, places.RUNTIME, places.BACKUPS, places.PKI}
    if "central" in unit.name:
        allowed = {Path("/var/lib/dicom-edge-central"), Path("/run/dicom-edge-central")}
    written = {Path(path.removeprefix("-")) for path in unit.words("Service", "ReadWritePaths")}
    assert written <= allowed
    assert bool(written) == (unit.name not in NOBODYS)


@pytest.mark.parametrize("unit", SERVICES)
def test_its_secrets_come_from_the_place_for_them(unit: Unit) -> None:
    etc = Path("/etc/dicom-edge-central") if "central" in unit.name else places.ETC
    assert unit.all("Service", "LoadCredential") in ([], [f"appliance:{etc}/credentials/"])
    assert places.CREDENTIALS == places.ETC / "credentials"


@pytest.mark.parametrize("unit", SERVICES)
def test_it_calls_a_verb_that_exists(unit: Unit) -> None:
    program, *words = shlex.split(unit.one("ExecStart"))
    assert program in (COMMAND, f"{COMMAND}-pki")
    group: click.Command = pki_cli if program != COMMAND else cli
    if words[0] == "--config":
        assert words[1] == "/etc/dicom-edge-central/appliance.toml" and "central" in unit.name
        del words[:2]
    for word in words:
        if word.startswith("-"):
            assert any(word.partition("=")[0] in parameter.opts for parameter in group.params), f"no option {word}"
            continue
        assert isinstance(group, click.Group)
        found = group.get_command(click.Context(group), word)
        assert found is not None, f"no verb {word}"
        group = found


@pytest.mark.parametrize("unit", ROOMS)
def test_a_room_is_watched_and_comes_back(unit: Unit) -> None:
    expected = "on-failure" if unit.name in ("dicom-edge-codec", "dicom-edge-monitor") else "always"
    assert unit.one("Restart") == expected
    assert unit.one("RestartPreventExitStatus") == "78"
    assert unit.one("RestartSec") == "500ms"
    assert unit.one("StartLimitIntervalSec", "Unit") == "0"
    assert (unit.one("WatchdogSec"), unit.one("KillMode"), unit.one("NotifyAccess")) == ("30", "mixed", "main")
    assert int(unit.one("TimeoutStopSec")) >= 30


@pytest.mark.parametrize("unit", ROOMS)
def test_a_room_has_bounds_and_a_weight(unit: Unit) -> None:
    for key in ("MemoryHigh", "MemoryMax", "CPUWeight", "IOWeight", "TasksMax", "LimitNOFILE", "OOMScoreAdjust"):
        assert unit.one(key), key


def test_the_listener_is_the_last_to_be_killed_for_memory() -> None:
    scores = {unit.name: int(unit.one("OOMScoreAdjust")) for unit in UNITS if unit.kind == "service"}
    assert min(scores, key=lambda name: scores[name]) == "dicom-edge-scp"
    assert scores["dicom-edge-codec"] == max(scores.values())


@pytest.mark.parametrize("unit", ROOMS)
def test_a_room_opens_nothing_before_the_database_is_migrated(unit: Unit) -> None:
    if unit.name in ("dicom-edge-codec", "dicom-edge-central-loader"):  # they have no database
        return
    migration = "dicom-edge-central-migrate" if "central" in unit.name else "dicom-edge-migrate"
    for key in ("Requires", "After"):
        assert f"{migration}.service" in unit.words("Unit", key)


@pytest.mark.parametrize(
    ("name", "home"),
    [("dicom-edge-migrate", places.HOME), ("dicom-edge-central-migrate", Path("/var/lib/dicom-edge-central"))],
)
def test_nothing_is_opened_before_the_disk_of_the_home_is_there(name: str, home: Path) -> None:
    assert BY_FILE[f"{name}.service"].words("Unit", "RequiresMountsFor") == {str(home)}


def test_a_box_delivers_and_reports_without_waiting_for_the_line_to_come_up() -> None:
    # The loader has nothing to do before its brokers are there.
    for name in sorted(NETWORKED - {"dicom-edge-central-loader"}):
        unit = BY_FILE[f"{name}.service"]
        assert "network-online.target" not in unit.words("Unit", "Wants") | unit.words("Unit", "After"), name


@pytest.mark.parametrize("unit", ONCE)
def test_what_runs_once_is_never_cut_short(unit: Unit) -> None:
    assert unit.one("TimeoutStartSec") == "infinity"


def test_a_configuration_that_is_wrong_does_not_spin_where_a_socket_starts_the_service() -> None:
    started = {unit.one("Service", "Socket").removesuffix(".service") or unit.name for unit in UNITS
               if unit.kind == "socket"}  # fmt: skip
    for name in started:
        assert "sleep" in BY_FILE[f"{name}.service"].one("ExecStopPost"), name


def test_sockets_have_the_names_that_rooms_look_for() -> None:
    found = {
        unit.name: (unit.one("FileDescriptorName", "Socket"), unit.one("ListenStream", "Socket"))
        for unit in UNITS
        if unit.kind == "socket"
    }
    assert found == SOCKETS
    for unit in UNITS:
        if unit.kind == "socket":
            service = unit.one("Service", "Socket") or f"{unit.name}.service"
            assert f"{unit.name}.socket" in BY_FILE[service].words("Service", "Sockets") | {f"{unit.name}.socket"}


@pytest.mark.parametrize("name", ["dicom-edge-web", "dicom-edge-central-receiver"])
def test_the_proxy_and_nobody_else_writes_to_the_sockets_that_are_believed(name: str) -> None:
    unit = BY_FILE[f"{name}.socket"]
    said = tuple(unit.one(key, "Socket") for key in ("SocketUser", "SocketGroup", "SocketMode"))
    assert said == (places.USER, places.PROXY_USER, "0660")


def test_the_decoders_socket_is_the_appliances_alone() -> None:
    unit = BY_FILE["dicom-edge-codec.socket"]
    assert (unit.one("SocketUser", "Socket"), unit.one("SocketMode", "Socket")) == (places.USER, "0600")


def test_everything_belongs_to_a_target() -> None:
    for unit in UNITS:
        if unit.kind == "target":
            assert unit.words("Install", "WantedBy") == {"multi-user.target"}
            continue
        target = "central.target" if "central" in unit.name else "appliance.target"
        wanted = unit.words("Install", "WantedBy")
        assert wanted <= {target}
        if unit.kind == "socket":  # a restart of everything must not close a port
            assert unit.words("Unit", "StopPropagatedFrom") == {target}, unit.name
            assert not unit.words("Unit", "PartOf")
        elif wanted or unit.kind == "timer":
            assert unit.words("Unit", "PartOf") == {target}, unit.name


def test_every_timer_has_its_service() -> None:
    timers = {unit.name for unit in UNITS if unit.kind == "timer"}
    assert timers == {f"dicom-edge-{name}" for name in ("retention", "fsck", "backup", "renew")}
    assert all(f"{name}.service" in BY_FILE for name in timers)


def test_the_tls_port_waits_for_the_word_of_the_set_up() -> None:
    condition = BY_FILE["dicom-edge-scp-tls.socket"].one("ConditionPathExists", "Unit")
    assert condition == str(places.DROP_INS / "dicom-edge-scp-tls.socket.d" / "50-installation.conf")


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@needs_systemd
def test_systemd_takes_every_line() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, sorted(FOLDER.iterdir()))],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    # Programs and other units are those of an installed box; everything else is ours.
    strange = re.compile(r"is not executable|Unit .* not found|Failed to create .*: No such")
    told = [line for line in done.stderr.splitlines() if str(FOLDER) in line and not strange.search(line)]
    assert told == []


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_nothing_is_more_exposed_than_promised(unit: Unit) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(FOLDER / f"{unit.name}.service")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= MOST_EXPOSED
