"""A real mosquitto: TLS with client certificates, a name's own branch of topics, and a memory of what is retained."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.builders.certificates import Authority, Pair
from tests.partners.lasting_ports import lasting_ports
from tests.partners.mqtt_watcher import MqttWatcher
from tests.partners.program import Program, executable

READY_SECONDS = 20.0
WATCHER = "central"
# %u is the common name of the caller's certificate.
PERMISSIONS = f"""pattern readwrite edge/v1/%u/#

user {WATCHER}
topic read edge/v1/#
"""


class Mosquitto:
    """A broker on 127.0.0.1. A context manager: on exit its process is gone.

    Callers show a certificate of `authority`, and may use `edge/v1/<its common name>/#` alone.
    """

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

    def start(self) -> Self:
        """Start; does not wait."""
        self.program.start()
        return self

    def wait_ready(self, seconds: float = READY_SECONDS) -> Self:
        """Wait until a client gets a connection by certificate."""
        self.program.wait_until(self._answers, seconds)
        return self

    def stop(self) -> int:
        """Ask it to end and wait; what is retained is on disk then."""
        return self.program.stop()

    def kill(self) -> None:
        """kill -9; what changed in its last second may be forgotten."""
        self.program.kill()

    def pause(self) -> None:
        """Freeze it; connections stay open and nothing is answered."""
        self.program.pause()

    def resume(self) -> None:
        """Let it go on."""
        self.program.resume()

    def restart(self) -> Self:
        """Start again on the same port and data, and wait; a running one is stopped first."""
        if self.program.running:
            self.stop()
        return self.start().wait_ready()

    def wipe(self) -> None:
        """Forget what is retained, while it is down."""
        assert not self.program.running, "stop or kill it first"
        for path in (self._folder / "data").iterdir():
            path.unlink()

    def watch(self, topic: str = "edge/v1/#") -> MqttWatcher:
        """A subscriber who may read every branch; a context manager, connected when it is entered."""
        return MqttWatcher(self.port, self.authority.certificate, self._watcher, topic)

    def __enter__(self) -> Self:
        """Start and wait."""
        try:
            return self.start().wait_ready()
        except BaseException:
            self.program.end()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill it."""
        if error is not None:
            print(self.program.output())
        self.program.end()

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
            "log_dest stdout",
            "log_type all",
            "connection_messages true",
        ]
        if os.geteuid() == 0:
            # As root it would become a user who may not read the folders of tests.
            lines.append("user root")
        (self._folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def _answers(self) -> bool:
        watcher = self.watch()
        try:
            return watcher.try_connect()
        finally:
            watcher.close()
