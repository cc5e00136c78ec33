"""A real Orthanc with its DICOMweb plugin, asked by its own REST interface what it holds."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from tests.partners.lasting_ports import lasting_ports
from tests.partners.program import Program, Server, executable

SECONDS = 20.0
PLUGIN = "libOrthancDicomWeb.so"
PLUGIN_FOLDERS = (Path("/usr/share/orthanc/plugins"), Path("/usr/lib/orthanc/plugins"))


class Orthanc(Server):
    """A server on 127.0.0.1.

    `overrides` are settings of its configuration; `user` is a name and a password that callers must show.
    """

    def __init__(
        self, folder: Path, *, user: tuple[str, str] | None = None, overrides: Mapping[str, Any] | None = None
    ) -> None:
        """Choose ports and write the configuration; nothing is started yet."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.port, self.dicom_port = lasting_ports(2)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = user
        configuration = folder / "orthanc.json"
        configuration.write_text(json.dumps({**self._settings(user), **(overrides or {})}, indent=2))
        # A directory instead of the file would also bring in what stands beside it.
        command = [executable("Orthanc", "orthanc"), str(configuration)]
        self.program = Program(command, folder / "orthanc.log")

    @property
    def url(self) -> str:
        """Root of its own REST interface, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def dicomweb(self) -> str:
        """Root of its DICOMweb service."""
        return f"{self.url}/dicom-web"

    def wipe(self) -> None:
        """Throw away all it holds, while it is down."""
        assert not self.program.running, "stop or kill it first"
        shutil.rmtree(self._folder / "data", ignore_errors=True)

    def instances(self) -> dict[str, str]:
        """What it holds: SOP instance UID to its own identifier."""
        found = json.loads(self.get("/instances?expand"))
        return {entry["MainDicomTags"]["SOPInstanceUID"]: entry["ID"] for entry in found}

    def file(self, sop_uid: str) -> bytes:
        """The Part 10 file of an instance, as it keeps it; KeyError when it has none."""
        return self.get(f"/instances/{self.instances()[sop_uid]}/file")

    def digest(self, sop_uid: str) -> str:
        """SHA-256 of that file, in hexadecimal."""
        return hashlib.sha256(self.file(sop_uid)).hexdigest()

    def delete(self, sop_uid: str) -> None:
        """Lose an instance."""
        identifier = self.instances()[sop_uid]
        self._session.delete(f"{self.url}/instances/{identifier}", timeout=SECONDS).raise_for_status()

    def get(self, path: str) -> bytes:
        """GET below its REST interface; requests.HTTPError unless it succeeds."""
        response = self._session.get(self.url + path, timeout=SECONDS)
        response.raise_for_status()
        return response.content

    def close(self) -> None:
        """Kill it."""
        super().close()
        self._session.close()

    def _settings(self, user: tuple[str, str] | None) -> dict[str, Any]:
        data = str(self._folder / "data")
        return {
            "Name": "Centre",
            "StorageDirectory": data,
            "IndexDirectory": data,
            "HttpPort": self.port,
            "DicomPort": self.dicom_port,
            "DicomAet": "CENTRE",
            # Answers callers of this machine only.
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": user is not None,
            "RegisteredUsers": dict([user] if user else []),
            "OverwriteInstances": False,
            "StableAge": 1,
            "Plugins": [str(_plugin())],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
        }

    def answers(self) -> bool:
        """Whether its DICOMweb service answers a query."""
        with suppress(requests.RequestException):
            self.get("/dicom-web/studies?limit=1")
            return True
        return False


def _plugin() -> Path:
    found = [folder / PLUGIN for folder in PLUGIN_FOLDERS if (folder / PLUGIN).exists()]
    assert found, f"{PLUGIN} is missing: apt-get install orthanc-dicomweb (make test-setup does)"
    return found[0]
