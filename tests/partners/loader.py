"""The loader as a real process: `appliance central loader`, with settings of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.central.postgres_link import PostgresSettings
from tests.partners.program import Program, Server

REPOSITORY = Path(__file__).resolve().parents[2]
IMPATIENT = {
    # A member that is killed is missed soon, and servers that are away are tried again soon.
    "APPLIANCE__CENTRAL__LOADER__SESSION_SECONDS": "1",
    "APPLIANCE__CENTRAL__LOADER__LINGER_SECONDS": "0.05",
    "APPLIANCE__CENTRAL__LOADER__BACKOFF_BASE": "0.1",
    "APPLIANCE__CENTRAL__LOADER__BACKOFF_CAP": "1",
}


class LoaderProcess(Server):
    """One loader. `home` is its own; `environ` has further APPLIANCE__ variables, or failpoints.

    Ready means that it has partitions, so that it works from then on.
    """

    def __init__(self, home: Path, broker: str, registry: Path, environ: Mapping[str, str] | None = None) -> None:
        """Nothing is started yet."""
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        assert not [name for name in os.environ if name.startswith("APPLIANCE")], "the environment would take part"
        self._environ = {
            **IMPATIENT,
            "APPLIANCE__HOME": str(home),
            "APPLIANCE__CENTRAL__REGISTRY": str(registry),
            "APPLIANCE__CENTRAL__KAFKA__BOOTSTRAP_SERVERS": json.dumps([broker]),
            "PYTHONPATH": str(REPOSITORY),
            **(environ or {}),
        }
        command = [sys.executable, "-m", "appliance", "central", "loader"]
        self.program = Program(command, home.parent / f"{home.name}.log", self._environ)

    def numbers(self) -> dict[str, Any]:
        """What it published last; {} before that."""
        try:
            found = json.loads((self.home / "run" / "loader.json").read_text())
        except (OSError, ValueError):
            return {}
        assert isinstance(found, dict)
        return found

    def answers(self) -> bool:
        """Whether it has said that it lives."""
        return self.numbers().get("pid") == self.program.pid

    def output(self) -> str:
        """Everything it has printed."""
        return self.program.output()


def of_postgres(settings: PostgresSettings) -> dict[str, str]:
    """The variables that lead a loader to a database of PostgreSQL, for every kind of record."""
    prefix = "APPLIANCE__CENTRAL__POSTGRES__"
    return {
        "APPLIANCE__CENTRAL__LOADER__IMAGE_STORE": "postgres",
        f"{prefix}HOST": settings.host,
        f"{prefix}PORT": str(settings.port),
        f"{prefix}DATABASE": settings.database,
        f"{prefix}USER": settings.user,
        f"{prefix}PASSWORD_FILE": str(settings.password_file),
        f"{prefix}TLS": settings.tls,
        f"{prefix}CONNECT_TIMEOUT": str(settings.connect_timeout),
        f"{prefix}STATEMENT_TIMEOUT": str(settings.statement_timeout),
        f"{prefix}LOCK_TIMEOUT": str(settings.lock_timeout),
    }
