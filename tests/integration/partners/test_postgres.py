"""The PostgreSQL of the tests keeps its promises: what is committed stays, and nobody gets in without a password."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.partners.postgres import Postgres


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A running server with TLS."""
    with Postgres(tmp_path_factory.mktemp("postgres"), tls=True) as running:
        running.create_database("kept")
        yield running


def test_what_is_committed_survives_a_kill_and_what_is_not_does_not(server: Postgres) -> None:
    with server.connect("kept") as connection:
        connection.execute("CREATE TABLE kept (n integer)")
        connection.execute("INSERT INTO kept VALUES (1)")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO kept VALUES (2)")
        server.kill()
    server.restart()
    assert server.rows("kept", "SELECT n FROM kept") == [(1,)]
    assert server.rows("kept", "SHOW fsync") == [("on",)]


def test_it_is_the_same_after_a_stop(server: Postgres) -> None:
    port = server.port
    with server.connect("kept") as idle:
        server.restart()
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
    assert server.port == port and server.answers()


def test_a_frozen_one_says_nothing(server: Postgres) -> None:
    server.pause()
    try:
        with pytest.raises(psycopg.OperationalError), server.connect(connect_timeout=2):
            pass
    finally:
        server.resume()
    assert server.answers()


def test_only_the_right_password_gets_in(server: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"), server.connect(password="another"):
        pass


def test_tls_is_by_its_own_authority(server: Postgres) -> None:
    assert server.authority is not None
    with server.connect(sslmode="verify-full", sslrootcert=str(server.authority.certificate)) as connection:
        found = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
    assert found == (True,)


def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    with Postgres(tmp_path) as server:
        place, pid = server._place, server.program.pid
    assert not place.exists() and not Path(f"/proc/{pid}").exists()
