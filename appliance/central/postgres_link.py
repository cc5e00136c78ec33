"""One connection to PostgreSQL: made when it is needed, bounded in time, thrown away after any trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from appliance.central.postgres_faults import translate_connecting, translate_rowless
from appliance.central.targets import Misdirected
from appliance.errors import DeliveryError

Meaning = Callable[[psycopg.Error], DeliveryError]

APPLICATION_NAME: Final = "dicom-edge-appliance"
# The server ends a statement first; this is for a server, or a line, that says nothing at all.
GRACE_SECONDS: Final = 2.0
KEEPALIVE_SECONDS: Final = 10
NOTHING_SAVED: Final = "off"


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """How the database is reached. Times are in seconds; the files are read when a connection is made.

    `tls` is libpq's sslmode. Without `tls_ca` the system's authorities count.
    """

    host: str
    port: int
    database: str
    user: str
    password_file: Path | None = None
    tls: str = "verify-full"
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    connect_timeout: int = 10
    statement_timeout: float = 30.0
    lock_timeout: float = 10.0


class _Connection(psycopg.Connection[Any]):
    """A connection whose every wait has an end, also where the server is frozen and the line silent."""

    patience = GRACE_SECONDS

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait as the library does, for `patience` seconds at most."""
        return super().wait(gen, interval, self.patience if timeout is None else timeout)


class PostgresLink:
    """The connection of one thread. Nothing is opened before the first transaction.

    `schema` is the version that the tables must have; None asks nothing of them. `meaning` says what an
    error is that came through a transaction.
    """

    def __init__(self, settings: PostgresSettings, schema: int | None, meaning: Meaning = translate_rowless) -> None:
        """Take what is needed to connect."""
        self._settings = settings
        self._meaning = meaning
        self._schema = schema
        self._connection: _Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """Give a connection within a transaction; leaving it commits, durably.

        Any error undoes all of it and ends the connection. Raises what `meaning` makes of it; after a
        commit whose answer was lost nothing is known, so the work must bear being repeated.
        """
        try:
            connection = self._connected()
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        except psycopg.Error as error:
            self.close()
            # The error quotes rows: it must not hang on ours.
            raise self._meaning(error) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection. Safe to repeat."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _connected(self) -> _Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self._prepare(self._connection)
        return self._connection

    def _connect(self) -> _Connection:
        try:
            made = _Connection.connect(**parameters(self._settings), autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            raise translate_connecting(error) from None
        made.patience = self._settings.statement_timeout + GRACE_SECONDS
        return made

    def _prepare(self, connection: _Connection) -> None:
        row = connection.execute("SELECT current_setting('synchronous_commit')").fetchone()
        if row is not None and row[0] == NOTHING_SAVED:
            connection.execute("SET synchronous_commit = on")
        if self._schema is None:
            return
        row = connection.execute("SELECT max(version) FROM edge_schema").fetchone()
        found = 0 if row is None else row[0]
        if found != self._schema:
            raise Misdirected(
                f"the database's tables are of version {found}, this program needs {self._schema}",
                hint="run `appliance central init`, or the program that fits",
            )


def parameters(settings: PostgresSettings) -> dict[str, Any]:
    """Return libpq's parameters. Raises Misdirected for a password file that cannot be read."""
    given: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "dbname": settings.database,
        "user": settings.user,
        "sslmode": settings.tls,
        "sslrootcert": settings.tls_ca,
        "sslcert": settings.tls_certificate,
        "sslkey": settings.tls_key,
        "password": _password(settings.password_file),
    }
    if settings.tls == "verify-full" and settings.tls_ca is None:
        given["sslrootcert"] = "system"
    return {name: str(value) for name, value in given.items() if value not in (None, "")} | {
        "application_name": APPLICATION_NAME,
        "client_encoding": "UTF8",
        "connect_timeout": settings.connect_timeout,
        "gssencmode": "disable",
        "keepalives_idle": KEEPALIVE_SECONDS,
        "keepalives_interval": KEEPALIVE_SECONDS,
        "keepalives_count": 3,
        "target_session_attrs": "read-write",
        "options": _options(settings),
    }


def _options(settings: PostgresSettings) -> str:
    patience = round(settings.statement_timeout * 1000)
    session = {
        "statement_timeout": patience,
        "lock_timeout": round(settings.lock_timeout * 1000),
        # What a dead line leaves behind must not hold locks.
        "idle_in_transaction_session_timeout": patience,
        "datestyle": "ISO",
    }
    return " ".join(f"-c {name}={value}" for name, value in session.items())


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Misdirected(f"the password file {path} cannot be read: {reason}", hint="check path and mode") from None
