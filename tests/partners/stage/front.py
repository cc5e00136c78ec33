"""nginx in front of the receiver with the shipped configuration, as a part that can be killed and comes back."""

from __future__ import annotations

from pathlib import Path

from tests.partners.lasting_ports import lasting_ports
from tests.partners.nginx import CENTRAL, READY_SECONDS, Proxy, central_changes
from tests.partners.stage.keys import Keys


class Front(Proxy):
    """Asks for the certificates of `keys`; what was revoked is refused. It keeps its port over restarts."""

    def __init__(self, folder: Path, socket: Path, keys: Keys) -> None:
        """Write its files; nothing is started yet. `socket` is the receiver's."""
        (port,) = lasting_ports(1)
        changes = central_changes(folder, port, socket, keys.server(), keys.authority, keys.revoked)
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
