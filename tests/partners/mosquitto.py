"""A real mosquitto: TLS with client certificates, a name's own branch of topics, and a memory of what is retained."""

from __future__ import annotations

import os
from pathlib import Path

from tests.builders.certificates import Authority, Pair
from tests.partners.lasting_ports import lasting_ports
from tests.partners.mqtt_watcher import MqttWatcher
from tests.partners.program import Program, Server, executable

WATCHER = "central"
# %u is the common name of the caller's certificate.
PERMISSIONS = f"""pattern readwrite edge/v1/%u/#

user {WATCHER}
topic read edge/v1/#
"""


class Mosquitto(Server):
    """A broker on 127.0.0.1. What is retained is on disk when it stops; kill -9 may forget its last second.

    Callers show a certificate of `authority`, and may use `edge/v1/<its common name>/#` alone.
    """

    ready_seconds = 20.0

    def __init__(self, folder: Path, *, keepalive_limit: int = 65535) -> None:
        """Make the authority and choose the port; nothing is started yet."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        (self.port,) = lasting_ports(1)
        self.authority = Authority(folder)
        self._watcher = self.authority.issue(WATCHER)
        self._write_configuration(keepalive_limit)
        command = [executable("mosquitto", "mosquitto"), "-c", str(folder / "mosquitto.conf")]
        self.program = Program(command, folder / "mosquitto.log")

    def issue(self, name: str) -> Pair:
        """A certificate for a caller of that name."""
        return self.authority.issue(name)

    def wipe(self) -> None:
        """Forget what is retained, while it is down."""
        assert not self.program.running, "stop or kill it first"
        for path in (self._folder / "data").iterdir():
            path.unlink()

    def watch(self, topic: str = "edge/v1/#") -> MqttWatcher:
        """A subscriber who may read every branch; a context manager, connected when it is entered."""
        return MqttWatcher(self.port, self.authority.certificate, self._watcher, topic)

    def _write_configuration(self, keepalive_limit: int) -> None:
        server = self.authority.issue("mosquitto")
        (self._folder / "data").mkdir()
        permissions = self._folder / "permissions.acl"
        permissions.write_text(PERMISSIONS)
        permissions.chmod(0o600)
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"cafile {self.authority.certificate}",
            f"certfile {server.certificate}",
            f"keyfile {server.key}",
            "require_certificate true",
            "use_identity_as_username true",
            f"acl_file {permissions}",
            f"max_keepalive {keepalive_limit}",
            "persistence true",
            f"persistence_location {self._folder / 'data'}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            "log_dest stderr",
            "log_type all",
            "connection_messages true",
        ]
        if os.geteuid() == 0:
            # As root it would become a user who may not read the folders of tests.
            lines.append("user root")
        (self._folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def answers(self) -> bool:
        """Whether a client gets a connection by certificate."""
        watcher = self.watch()
        try:
            return watcher.try_connect()
        finally:
            watcher.close()
