"""nginx in front of the receiver with the shipped configuration, as a part that can be killed and comes back."""

from __future__ import annotations

from pathlib import Path

from tests.partners.lasting_ports import lasting_ports
from tests.partners.nginx import CENTRAL, READY_SECONDS, Proxy
from tests.partners.stage.keys import Keys

PLACE = "/etc/ssl/receiver.example"


class Front(Proxy):
    """Asks for the certificates of `keys`; what was revoked is refused. It keeps its port over restarts."""

    def __init__(self, folder: Path, socket: Path, keys: Keys) -> None:
        """Write its files; nothing is started yet. `socket` is the receiver's."""
        (port,) = lasting_ports(1)
        pair = keys.server()
        changes = (
            ("/run/dicom-edge-central/receiver.sock", str(socket)),
            ("    listen [::]:443 ssl http2 default_server;\n", ""),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            (f"{PLACE}/fullchain.pem", str(pair.certificate)),
            (f"{PLACE}/key.pem", str(pair.key)),
            (f"{PLACE}/sites-ca.pem", str(keys.authority)),
            (f"{PLACE}/sites-crl.pem", str(keys.revoked)),
        )
        super().__init__(folder, CENTRAL, changes)
        self.port = port

    def start(self) -> None:
        """Start; does not wait."""
        self.program.start()

    def wait_ready(self) -> None:
        """Wait until what is behind it answers."""
        self.program.wait_until(self._answers, READY_SECONDS)

    def kill(self) -> None:
        """kill -9."""
        self.program.kill()

    def close(self) -> None:
        """End it if it runs."""
        self.program.end()
