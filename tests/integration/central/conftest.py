"""One receiver behind nginx for all tests of a module, one PostgreSQL for all of them with a database for each."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.central.postgres_schema import migrate
from tests.integration.central.postgres_database import Database, settings_of
from tests.integration.central.receiver import Sender, Site, running
from tests.partners.postgres import Postgres

TEMPLATE = "edge_template"


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A receiver and nginx; its folder has a short name, for the socket's sake."""
    with tempfile.TemporaryDirectory(prefix="rcv-") as folder, running(Path(folder)) as found:
        yield found


@pytest.fixture
def clinic(site: Site) -> Sender:
    """clinic-7 of tenant north, with its certificate."""
    return site.sender(site.authority.issue("clinic-7"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A running server; whoever stops or freezes it wakes it again."""
    with Postgres(tmp_path_factory.mktemp("postgres"), tls=True) as server:
        server.create_database(TEMPLATE)
        migrate(settings_of(server, TEMPLATE))
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """A database of the appliance with empty tables."""
    name = f"edge_{uuid.uuid4().hex[:12]}"
    postgres.create_database(name, TEMPLATE)
    yield Database(postgres, name, settings_of(postgres, name))
    postgres.drop_database(name)
