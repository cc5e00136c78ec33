"""A real PostgreSQL 15: a cluster of its own on a loopback port, password logins only, TLS if wanted."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

from tests.builders.certificates import Authority
from tests.partners.lasting_ports import lasting_ports
from tests.partners.program import STOP_SECONDS, Program, Server, executable
from tests.waiting import wait_until

PROGRAMS = "/usr/lib/postgresql/15/bin"
PACKAGE = "postgresql-15"
ADMINISTRATOR = "postgres"
# The user of Debian's package: PostgreSQL does not run as root.
UNPRIVILEGED = "postgres"
# What is not under test is kept small. Durability is as shipped: everything is synced.
SETTINGS: Mapping[str, str] = {
    # The second is the same server by a name that no certificate of it has.
    "listen_addresses": "127.0.0.1,127.0.0.2",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "32MB",
    "max_connections": "40",
    # As few locks as it goes with, so that whoever piles them up is found out.
    "max_locks_per_transaction": "10",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "autovacuum": "off",
    "jit": "off",
    "lc_messages": "C",
    "log_error_verbosity": "terse",
}


class Postgres(Server):
    """A server on 127.0.0.1 that keeps port and data over restarts.

    `administrator` logs in by the password in `password_file`. With `tls` it speaks TLS too, with a
    certificate of `authority` for localhost and 127.0.0.1; a client may still come without. `settings` are
    lines of postgresql.conf.
    """

    ready_seconds = 60.0

    def __init__(self, folder: Path, *, tls: bool = False, **settings: str) -> None:
        """Choose the port; nothing is created or started yet."""
        folder.mkdir(parents=True, exist_ok=True)
        (self.port,) = lasting_ports(1)
        self.authority = Authority(folder) if tls else None
        self.password_file = folder / "password"
        self.password = secrets.token_urlsafe(16)
        self.password_file.write_text(f"{self.password}\n")
        self._settings = {**SETTINGS, "port": str(self.port), **settings}
        # Below the tests' own folders only root may look.
        self._place = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._data = self._place / "data"
        command = [*_as_user(), executable("postgres", PACKAGE, PROGRAMS), "-D", str(self._data)]
        self.program = Program(command, folder / "postgres.log", {"LC_ALL": "C"})

    def start(self) -> Self:
        """Make the cluster where there is none, and start; does not wait."""
        if not self._data.exists():
            self._initialise()
        return super().start()

    def stop(self) -> int:
        """Stop it without waiting for its clients; sessions end, what is committed is on disk."""
        self.resume()
        os.kill(self.program.pid, signal.SIGINT)
        return self.program.stop()

    def kill(self) -> None:
        """kill -9 of all its processes, as a power cut would."""
        processes = self._processes()
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.program.kill()
        wait_until(lambda: not any(_alive(pid) for pid in processes), STOP_SECONDS)

    def pause(self) -> None:
        """Freeze all its processes: connections stay open, nothing is answered, the kernel still accepts."""
        self.program.pause()
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let the frozen ones go on."""
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill what still runs, and remove the data. Safe to repeat."""
        if self.program.running:
            self.kill()
        shutil.rmtree(self._place, ignore_errors=True)

    def answers(self) -> bool:
        """Whether a login gets in."""
        with suppress(psycopg.Error), self.connect():
            return True
        return False

    @contextmanager
    def connect(self, database: str = "postgres", **parameters: Any) -> Iterator[psycopg.Connection[Any]]:
        """A connection of the administrator, each statement a transaction of its own."""
        given = {"user": ADMINISTRATOR, "password": self.password, "connect_timeout": 5, **parameters}
        connection = psycopg.connect(host="127.0.0.1", port=self.port, dbname=database, autocommit=True, **given)
        try:
            yield connection
        finally:
            connection.close()

    def create_database(self, name: str, template: str = "template0") -> None:
        """Create a database as a copy of another, which nobody may be using."""
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with self.connect() as connection:
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def create_role(self, name: str, password: str) -> None:
        """Create a user who may log in and has no further rights."""
        create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        with self.connect() as connection:
            connection.execute(create.format(sql.Identifier(name), sql.Literal(password)))

    def rows(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.connect(database) as connection:
            return connection.execute(query.encode()).fetchall()

    def _processes(self) -> list[int]:
        parent = self.program.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [parent, *(int(pid) for pid in children)]

    def _initialise(self) -> None:
        secret = self._place / "password"
        secret.write_text(self.password)
        self._give(self._place, secret)
        initdb = [*_as_user(), executable("initdb", PACKAGE, PROGRAMS), "-D", str(self._data), "--no-sync"]
        options = ["--auth=scram-sha-256", f"--pwfile={secret}", f"--username={ADMINISTRATOR}"]
        subprocess.run(
            [*initdb, *options, "--encoding=UTF8", "--locale=C.UTF-8"], check=True, capture_output=True, cwd="/"
        )
        secret.unlink()
        if self.authority is not None:
            self._settings |= self._certificate(self.authority)
        lines = "".join(f"{name} = '{value}'\n" for name, value in self._settings.items())
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(lines)

    def _certificate(self, authority: Authority) -> dict[str, str]:
        pair = authority.issue("postgres")
        for path, name in ((pair.certificate, "server.crt"), (pair.key, "server.key")):
            copied = self._data / name
            shutil.copy(path, copied)
            copied.chmod(0o600)
            self._give(copied)
        return {"ssl": "on"}

    @staticmethod
    def _give(*paths: Path) -> None:
        if os.geteuid() == 0:
            for path in paths:
                shutil.chown(path, UNPRIVILEGED, UNPRIVILEGED)


def _as_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--init-groups"]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
