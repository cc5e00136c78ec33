"""The appliance as a technician has it: the .deb, installed on a machine of its own."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import requests

from tests.partners.dcmtk import Peer
from tests.partners.machine import ADDRESS, Machine
from tests.waiting import wait_until

PACKAGE: Final = "dicom-edge-appliance"
ROOMS: Final = ("dicom-edge-scp", "dicom-edge-web", "dicom-edge-sync")
# Each opens the door the whole way to the clinic; the default of the package is loopback alone.
ANSWERS: Final[Mapping[str, tuple[str, str]]] = {
    "site": ("string", "clinic-7"),
    "tenant": ("string", "north"),
    "ae-title": ("string", "EDGE"),
    "dicom-address": ("string", "0.0.0.0"),
    "https-address": ("string", f"{ADDRESS}:443"),
    "https-name": ("string", "pacs.clinic.example"),
}
PASSWORD: Final = "a good long sentence"
PORT, TLS_PORT = 104, 2762
ACTIVE_SECONDS: Final = 20.0
PEERS: Final = """
[scp]
accept_unknown = true
"""


class InstalledBox:
    """One installation on a machine that is on."""

    def __init__(self, machine: Machine) -> None:
        """Nothing is installed yet."""
        self.machine = machine
        self.install_seconds = 0.0
        self.active_seconds = 0.0

    def answer(self, answers: Mapping[str, tuple[str, str]] = ANSWERS, *, password: str = PASSWORD) -> None:
        """Leave answers to the installer's questions, as for an installation that nobody attends."""
        asked = {**answers, "admin-password": ("password", password)}
        lines = [f"{PACKAGE} {PACKAGE}/{name} {kind} {value}\n" for name, (kind, value) in asked.items()]
        self.machine.run("debconf-set-selections", text="".join(lines))

    def apt(self, *arguments: str, check: bool = True) -> str:
        """Run apt-get as the technician does; return what it said."""
        done = self.machine.run(
            "apt-get", "--yes", "--no-install-recommends", *arguments,
            check=check, seconds=300, environ={"DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
        return done.stdout + done.stderr

    def put(self, package: Path) -> str:
        """Carry a file to the machine; return its path there."""
        shutil.copy(package, self.machine.root / "root")
        return f"/root/{package.name}"

    def install(self, *packages: Path) -> str:
        """Install .debs by apt and wait until the rooms are active; return what apt said."""
        begun = time.monotonic()
        said = self.apt("install", *map(self.put, packages))
        self.install_seconds = time.monotonic() - begun
        self.wait_active()
        self.active_seconds = time.monotonic() - begun - self.install_seconds
        return said

    def let_everybody_in(self) -> None:
        """Let the DICOM door take any caller."""
        self.configure("60-modalities", PEERS)
        self.machine.run("systemctl", "restart", "dicom-edge-scp")
        self.wait_active()

    def configure(self, name: str, text: str) -> None:
        """Write a file of conf.d."""
        (self.machine.root / "etc/dicom-edge-appliance/conf.d" / f"{name}.toml").write_text(text)

    def wait_active(self, seconds: float = ACTIVE_SECONDS) -> None:
        """Wait until every room is active and the box calls itself ready."""
        for room in ROOMS:
            wait_until(lambda room=room: self.machine.active(room), seconds, every=0.05)  # type: ignore[misc]
        wait_until(lambda: self.status().get("ready") is True, seconds, every=0.2)

    def appliance(self, *arguments: str, **how: Any) -> str:
        """Run a verb as root."""
        return self.machine.run("appliance", *arguments, **how).stdout

    def status(self) -> dict[str, Any]:
        """What `appliance status --json` says."""
        said = self.machine.run("appliance", "status", "--json", check=False).stdout
        found = json.loads(said or "{}")
        assert isinstance(found, dict)
        return found

    def authority(self) -> Path:
        """The certificate that the clinic's programs are told to trust."""
        return self.machine.root / "etc/dicom-edge-appliance/pki/ca/cert.pem"

    def peer(self, port: int = PORT, **more: Any) -> Peer:
        """The door as a modality has it configured."""
        return Peer(port, ADDRESS, called_ae="EDGE", **more)

    def token(self, role: str = "admin") -> str:
        """A new API token."""
        return self.appliance("token", "add", f"test-{time.monotonic_ns()}", "--role", role).strip()

    def https(self, token: str = "") -> requests.Session:
        """A session that trusts the clinic's authority; for use inside the clinic's network."""
        session = requests.Session()
        session.trust_env = False  # which may name another bundle of authorities
        session.verify = str(self.authority())
        session.headers.update({"Authorization": f"Bearer {token}"} if token else {})
        return session

    @property
    def url(self) -> str:
        """Where a browser in the clinic goes."""
        return f"https://{ADDRESS}"

    def journal(self, *options: str) -> str:
        """The journal of the appliance's units."""
        return self.machine.shell(f"journalctl --no-pager --output=short-precise {' '.join(options)}")
