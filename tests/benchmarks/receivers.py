"""The receivers that are compared: each starts fresh, in a folder of its own, on a random loopback port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.partners.dcmtk import tool
from tests.partners.ports import free_ports
from tests.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]


class Receiver(ABC):
    """A C-STORE provider as one process. A context manager: it is gone on exit."""

    name: str

    def __init__(self, folder: Path) -> None:
        """Take an empty folder; nothing is started yet."""
        self.folder = folder
        self.port, self.other_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Prepare the folder and give the command that serves in the foreground."""

    def environ(self) -> Mapping[str, str]:
        """The process's environment."""
        return {**os.environ, "TCP_NODELAY": "1"}

    def __enter__(self) -> Self:
        """Start and wait until it listens."""
        command = self.command()
        with (self.folder / "output.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=self.environ(), stdout=log, stderr=log, cwd=self.folder)
        wait_until(self._listens, 60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def peak_bytes(self) -> int:
        """Peak resident memory so far."""
        assert self._process is not None
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0

    def cpu_seconds(self) -> float:
        """Processor time so far, user and system."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _listens(self) -> bool:
        assert self._process is not None and self._process.poll() is None, (self.folder / "output.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class Ours(Receiver):
    """The DICOM room with its archive: files and index fsynced before the answer."""

    name = "appliance"

    def environ(self) -> Mapping[str, str]:
        """As for the tests, with the default limits."""
        return {
            **super().environ(),
            "APPLIANCE__HOME": str(self.folder / "home"),
            "APPLIANCE__SCP__PORT": str(self.port),
            "APPLIANCE__WEB__PORT": str(self.other_port),
            "APPLIANCE__LOG__LEVEL": "WARNING",
            "PYTHONPATH": str(REPOSITORY),
        }

    def command(self) -> list[str]:
        """Initialise and serve."""
        appliance = [sys.executable, "-m", "appliance"]
        subprocess.run([*appliance, "init"], env=self.environ(), check=True, stdout=subprocess.DEVNULL)
        return [*appliance, "scp"]


class Storescp(Receiver):
    """dcmtk's storescp: writes what comes to files; no fsync, no index."""

    name = "storescp +B"

    def command(self) -> list[str]:
        """Serve into the folder, one process per association."""
        return [
            tool("storescp"),
            "--fork",
            "-pdu",
            "131072",
            "+B",
            "+xa",
            "-od",
            str(self.folder),
            str(self.port),
        ]


class Orthanc(Receiver):
    """Orthanc with its default SQLite index; fsyncs files, index at WAL NORMAL."""

    name = "Orthanc"

    def command(self) -> list[str]:
        """Configure and serve."""
        configuration = {
            "Name": "bench",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "DicomAet": "APPLIANCE",
            "DicomPort": self.port,
            "HttpPort": self.other_port,
            "RemoteAccessAllowed": False,
            "DicomCheckCalledAet": False,
            "UnknownSopClassAccepted": True,
            "MaximumPduLength": 131072,
        }
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(configuration))
        return [tool("Orthanc"), str(path)]


RECEIVERS: tuple[type[Receiver], ...] = (Ours, Storescp, Orthanc)
