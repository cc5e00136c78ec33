"""Certificates and signing keys as people make them: `appliance-pki` as a program, one directory for all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.builders.certificates import Pair

REPOSITORY = Path(__file__).resolve().parents[3]
SERVER = "receiver.example"


class Keys:
    """An authority for the centre's server and the boxes, and key pairs that sign."""

    def __init__(self, folder: Path) -> None:
        """Make the authority."""
        self.folder = folder
        self.authority = folder / "ca" / "cert.pem"
        self.revoked = folder / "crl.pem"
        self.run("init", "Centre", "--domain", SERVER)

    def run(self, *arguments: str) -> str:
        """Run a verb of appliance-pki; return what it prints."""
        environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-m", "pki", "--directory", str(self.folder), *arguments]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def server(self) -> Pair:
        """The centre's certificate, for its name and 127.0.0.1."""
        self.run("issue", "server", SERVER, "--ip", "127.0.0.1")
        return self._pair(f"server-{SERVER}", "fullchain.pem")

    def box(self, site: str) -> Pair:
        """A box's client certificate, bound to this machine."""
        self.run("issue", "box", site)
        return self._pair(f"box-{site}", "cert.pem")

    def signing(self, name: str) -> Pair:
        """A key pair that signs; `certificate` is the public key."""
        self.run("issue", "signing", name)
        return self._pair(f"signing-{name}", "public.pem")

    def _pair(self, lineage: str, public: str) -> Pair:
        live = self.folder / "live" / lineage
        return Pair(live / public, live / "key.pem")
