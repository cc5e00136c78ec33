"""The receiver as a real process: `python -m appliance --config FILE central receiver`, with a home of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from appliance.archive.callers import Callers
from appliance.archive.database import Database
from appliance.central.registry import Registry, Site
from appliance.clock import SystemClock
from tests.partners.ports import free_ports
from tests.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 45.0
MIB = 1 << 20
PEM = serialization.Encoding.PEM
CONFIGURATION = """
home = "{home}"
[site]
id = "{site}"
[archive]
reserve_bytes = {mib}
ballast_bytes = {mib}
[sync]
poll_seconds = 0.1
[sync.sinks.outbound]
kind = "directory"
[web]
login = "open"
[central]
registry = "{folder}/sites"
signature_key_file = "{folder}/receipts.key"
[central.receiver]
port = {port}
socket = "{folder}/receiver.sock"
import_receipts = {imports}
import_seconds = 0.1
"""


class Centre:
    """One receiver in `folder`. A context manager: on exit every process it started is gone.

    `more` is put at the end of its configuration (tables as TOML); `imports` lets it read PostgreSQL.
    """

    def __init__(self, folder: Path, more: str = "", *, site: str = "centre-1", imports: bool = False) -> None:
        """Write configuration and key; nothing is started yet. Paths of sockets are short: so is `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.home = folder / "home"
        self.site = site
        (self.port,) = free_ports(1)
        self.socket = folder / "receiver.sock"
        self.log = folder / "centre.log"
        self.registry = Registry(folder / "sites")
        self.configuration = folder / "centre.toml"
        values = {"home": self.home, "site": site, "mib": MIB, "folder": folder, "port": self.port}
        self.configuration.write_text(CONFIGURATION.format(**values, imports=str(imports).lower()) + more)
        self.receipt_key = folder / "receipts.pub"
        _write_keys(folder / "receipts.key", self.receipt_key)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """Root of the TCP door, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def dicomweb(self) -> str:
        """Root of the DICOMweb service at the TCP door."""
        return f"{self.url}/dicom-web"

    def admit(self, name: str, tenant: str, **facts: Any) -> Site:
        """Write a site into the registry; `facts` are further fields of Site."""
        site = Site(name, tenant, **facts)
        self.registry.write(site)
        return site

    def command(self, *arguments: str, check: bool = True, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end; `check` fails with its output unless it exits with 0."""
        done = subprocess.run(
            [*self._program(), *arguments],
            env=self._environ({}),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *verb: str, environ: Mapping[str, str] | None = None) -> None:
        """Start `central receiver`, or another verb (`sync`), of an initialised home; does not wait."""
        words = verb or ("central", "receiver")
        assert words[-1] not in self._processes, f"{words[-1]} runs already"
        with self.log.open("ab") as log:
            self._processes[words[-1]] = subprocess.Popen(
                [*self._program(), *words],
                env=self._environ(environ or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until the receiver answers; fails at once when a started process has ended."""
        try:
            wait_until(lambda: self._check_processes() and self._answers(), seconds)
        except BaseException:
            print(self.output())
            raise

    def kill(self, verb: str = "receiver") -> None:
        """kill -9 of one process."""
        process = self._processes.pop(verb)
        process.kill()
        process.wait(STOP_SECONDS)

    def stop(self, verb: str = "receiver") -> int:
        """Ask a process to end and wait; return its exit code."""
        process = self._processes.pop(verb)
        process.send_signal(signal.SIGTERM)
        return process.wait(STOP_SECONDS)

    def runs(self, verb: str = "receiver") -> bool:
        """Whether a process that was started has not ended."""
        process = self._processes.get(verb)
        return process is not None and process.poll() is None

    def wait_ended(self, verb: str = "receiver", seconds: float = STOP_SECONDS) -> int:
        """Wait for a process to end by itself (a failpoint); return its exit code, negative for a signal."""
        return self._processes.pop(verb).wait(seconds)

    def callers(self) -> list[dict[str, Any]]:
        """The list of callers that were refused, as `appliance callers` shows it."""
        database = Database(self.home / "index.db")
        try:
            return [dict(row) for row in Callers(database, "default", SystemClock()).list()]
        finally:
            database.close()

    def get(self, path: str, seconds: float = 10.0, **headers: str) -> tuple[int, bytes]:
        """GET below the TCP door: status and body."""
        asked = urllib.request.Request(self.url + path, headers={n.replace("_", "-"): v for n, v in headers.items()})
        try:
            with urllib.request.urlopen(asked, timeout=seconds) as answer:
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def output(self) -> str:
        """Everything the processes have printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Self:
        """Initialise the home."""
        self.command("init")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every process, gently where that works."""
        if error is not None:
            print(self.output())
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait(10)
        self._processes.clear()

    def _program(self) -> list[str]:
        return [sys.executable, "-m", "appliance", "--config", str(self.configuration)]

    def _environ(self, more: Mapping[str, str]) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE")}
        return {**plain, "PYTHONPATH": str(REPOSITORY), **more}

    def _check_processes(self) -> bool:
        for verb, process in self._processes.items():
            assert process.poll() is None, f"{verb} ended with {process.returncode}\n{self.output()}"
        return True

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.get("/readyz", 2.0)[0] == 200
        return False


def _write_keys(private: Path, public: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain))
    public.write_bytes(key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
