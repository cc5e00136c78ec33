"""`appliance central init` with a real Kafka and a real PostgreSQL: safe to repeat, and nothing becomes less."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from kafka.admin import ConfigResource, ConfigResourceType

from appliance.central.postgres_schema import VERSION, migrate
from appliance.central.postgres_tables import TABLES
from appliance.cli.main import cli
from appliance.kafka_connection.topics import TOPIC_NAMES
from tests.integration.central.postgres_database import Database, settings_of
from tests.partners.kafka import KafkaBroker
from tests.partners.postgres import Postgres

TOPICS = sorted([*TOPIC_NAMES.values(), *(f"{name}.dlq" for name in TOPIC_NAMES.values())])


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker without topics."""
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


class Centre:
    """A configuration, and the verb run with it."""

    def __init__(self, folder: Path, servers: str, postgres: Postgres, database: str) -> None:
        self._file = folder / "appliance.toml"
        self._postgres, self._database, self._servers = postgres, database, servers
        self.configure()

    def configure(self, partitions: int = 3, **postgres: Any) -> None:
        """Write the configuration."""
        given = {
            "port": self._postgres.port, "database": self._database, "user": "postgres",
            "password_file": str(self._postgres.password_file), "connect_timeout": 2, **postgres,
        }  # fmt: skip
        lines = [
            "[central.kafka]", f'bootstrap_servers = ["{self._servers}"]',
            "[central.topics]", f"partitions = {partitions}", "replication = 1",
            "[central.postgres]", *(f"{name} = {json.dumps(value)}" for name, value in given.items()),
        ]  # fmt: skip
        self._file.write_text("\n".join(lines))

    def run(self, *options: str) -> Result:
        """Run `appliance central init`."""
        return CliRunner().invoke(cli, ["--config", str(self._file), "central", "init", *options])

    def steps(self, *options: str, code: int = 0) -> dict[str, dict[str, Any]]:
        """Run it, and return its steps by name."""
        result = self.run("--json", *options)
        assert result.exit_code == code, result.output
        return {step["name"]: step for step in json.loads(result.output)["steps"]}


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[Database]:
    """A database without tables."""
    postgres.create_database("empty")
    yield Database(postgres, "empty", settings_of(postgres, "empty"))
    postgres.drop_database("empty")


def partitions(broker: KafkaBroker) -> dict[str, int]:
    """How many partitions each topic has."""
    with broker.admin() as admin:
        found = admin.describe_topics([name for name in admin.list_topics() if name in TOPICS])
        return {topic["name"]: len(topic["partitions"]) for topic in found}


def columns(database: Database) -> dict[str, list[str]]:
    """The columns of each table."""
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    found: dict[str, list[str]] = {}
    for table, column in database.rows(query):
        found.setdefault(table, []).append(column)
    return found


def test_everything_is_made_once_and_grows_but_never_shrinks(
    kafka: KafkaBroker, empty: Database, tmp_path: Path
) -> None:
    centre = Centre(tmp_path, kafka.servers(), empty.server, empty.name)
    planned = centre.steps("--dry-run", code=1)
    assert sorted(planned) == sorted([*TOPICS, "tables"])
    assert {step["action"] for step in planned.values()} == {"create"}
    assert not partitions(kafka) and not columns(empty)

    assert centre.steps() == planned
    assert partitions(kafka) == {name: 1 if name.endswith(".dlq") else 3 for name in TOPICS}
    assert empty.rows("SELECT version FROM edge_schema") == [(n,) for n in range(1, VERSION + 1)]

    for options in ((), ("--dry-run",)):
        assert {step["action"] for step in centre.steps(*options).values()} == {"keep"}

    centre.configure(partitions=5)
    extended = {name for name, step in centre.steps().items() if step["action"] == "extend"}
    assert extended == set(TOPIC_NAMES.values())
    assert partitions(kafka)["dicom_state_queue"] == 5

    centre.configure(partitions=2)
    warned = centre.steps(code=1)["dicom_state_queue"]
    assert warned["action"] == "keep" and "never become fewer" in warned["warning"]
    assert partitions(kafka)["dicom_state_queue"] == 5


def test_topics_have_the_settings_that_keep_records_safe(kafka: KafkaBroker, empty: Database, tmp_path: Path) -> None:
    Centre(tmp_path, kafka.servers(), empty.server, empty.name).run("--only", "kafka")
    with kafka.admin() as admin:
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in ("log_queue", "log_queue.dlq")]
        found = admin.describe_configs(asked, config_filter="all")
    configs = {name: values for kinds in found.values() for name, values in kinds.items()}
    assert configs["log_queue"]["retention.ms"]["value"] == str(168 * 3_600_000)
    assert configs["log_queue"]["unclean.leader.election.enable"]["value"] == "false"
    assert int(configs["log_queue.dlq"]["max.message.bytes"]["value"]) > int(
        configs["log_queue"]["max.message.bytes"]["value"]
    )


def test_the_tables_have_the_columns_that_are_written(database: Database) -> None:
    found = columns(database)
    for table in TABLES.values():
        assert {column.name for column in table.columns} <= set(found[table.name])
        types = dict(
            database.rows(
                "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
                f"WHERE a.attrelid = '{table.name}'::regclass AND a.attnum > 0"
            )
        )
        for column in table.columns:
            written = types[column.name].replace("character varying", "varchar").replace(" without time zone", "")
            assert written.replace("numeric(20,0)", "numeric(20)") == column.type, column.name


def test_tables_of_another_loader_of_the_contract_are_taken_over(empty: Database) -> None:
    with_theirs = """CREATE TABLE dicom_json_meta (
      tenant_id varchar(64) NOT NULL, study_uid varchar(64) NOT NULL, series_uid varchar(64) NOT NULL,
      study_uid_hash varchar(20) NOT NULL, series_uid_hash varchar(20) NOT NULL,
      study_date_origin varchar(8) NOT NULL, flag_time timestamp NOT NULL,
      created_time timestamp NOT NULL DEFAULT current_timestamp(6), json_status int NOT NULL DEFAULT 0,
      retry_times int NOT NULL DEFAULT 0, PRIMARY KEY (tenant_id, study_uid, series_uid))"""
    empty.execute(with_theirs)
    assert migrate(empty.settings) == list(range(1, VERSION + 1))


def test_a_database_that_cannot_hold_every_name_is_warned_of(postgres: Postgres, tmp_path: Path) -> None:
    with postgres.connect() as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    steps = Centre(tmp_path, "127.0.0.1:1", postgres, "latin").steps("--only", "postgres", code=1)
    assert "server_encoding is LATIN1" in steps["tables"]["warning"] and steps["tables"]["action"] == "create"
    postgres.drop_database("latin")


def test_two_who_set_it_up_at_once_do_it_once(empty: Database) -> None:
    done: list[list[int]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate(empty.settings))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done) == [[], [], list(range(1, VERSION + 1))]


def test_a_role_is_given_its_rights_and_later_tables_are_refused(
    kafka: KafkaBroker, empty: Database, tmp_path: Path
) -> None:
    centre = Centre(tmp_path, kafka.servers(), empty.server, empty.name)
    empty.server.create_role("someone", "someone")
    steps = centre.steps("--only", "postgres", "--grant", "someone")
    assert steps["someone"]["action"] == "grant"
    with empty.server.connect(empty.name, user="someone", password="someone") as connection:
        assert connection.execute("SELECT count(*) FROM dicom_state_meta").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM dicom_state_meta")
    empty.execute("INSERT INTO edge_schema (version) VALUES (99)")
    refused = centre.run("--only", "postgres")
    assert refused.exit_code == 69 and "version 99" in refused.output
    empty.execute("DROP OWNED BY someone", "DROP ROLE someone")


def test_the_sql_for_doris_is_written_where_it_is_wanted(kafka: KafkaBroker, empty: Database, tmp_path: Path) -> None:
    centre = Centre(tmp_path, kafka.servers(), empty.server, empty.name)
    folder = tmp_path / "doris"
    options = ("--only", "doris", "--doris-sql", str(folder))
    assert {step["action"] for step in centre.steps(*options, "--dry-run", code=1).values()} == {"write"}
    assert not folder.exists()
    centre.steps(*options)
    assert sorted(path.name for path in folder.iterdir()) == ["routine_load.sql", "tables.sql", "tables_upstream.sql"]
    assert kafka.servers() in (folder / "routine_load.sql").read_text()
    assert {step["action"] for step in centre.steps(*options).values()} == {"keep"}


def test_servers_that_are_not_there_end_in_a_sentence(kafka: KafkaBroker, empty: Database, tmp_path: Path) -> None:
    centre = Centre(tmp_path, "127.0.0.1:1", empty.server, empty.name)
    gone = centre.run("--only", "kafka")
    assert gone.exit_code == 69 and "no broker accepts a connection" in gone.output
    centre.configure(port=1)
    gone = centre.run("--only", "postgres")
    assert gone.exit_code == 69 and "cannot be reached" in gone.output
    secret = tmp_path / "wrong"
    secret.write_text("not-the-password")
    centre.configure(password_file=str(secret))
    gone = centre.run("--only", "postgres")
    assert gone.exit_code == 69 and "rejects the login" in gone.output and "not-the-password" not in gone.output
