"""`appliance central loader` as a process, from a real Kafka into a real PostgreSQL: kills, replays, its numbers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders.cloud import PATIENT
from tests.integration.central.doris_batches import PASSWORD, ddl
from tests.integration.central.loader_stage import Stage
from tests.integration.central.postgres_database import Database
from tests.partners.doris.server import DorisServer
from tests.partners.kafka import KafkaBroker
from tests.partners.loader import LoaderProcess, of_postgres
from tests.partners.ports import free_ports
from tests.waiting import wait_until

STATES = "SELECT series_uid, revision FROM dicom_state_meta"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One broker for the module."""
    with KafkaBroker(tmp_path_factory.mktemp("kafka"), overrides={"group.min.session.timeout.ms": "1000"}) as found:
        yield found


@pytest.fixture
def stage(broker: KafkaBroker, tmp_path: Path) -> Stage:
    """Topics of the test's own."""
    return Stage(broker, tmp_path)


def _loader(stage: Stage, database: Database, name: str, **environ: str) -> LoaderProcess:
    prefix = "APPLIANCE__CENTRAL__"
    settings = {
        **of_postgres(database.settings),
        f"{prefix}LOADER__GROUP": stage.group,
        f"{prefix}LOADER__KINDS": json.dumps(["state", "image"]),
        f"{prefix}LOADER__BATCH_ROWS": "50",
        f"{prefix}KAFKA__TOPICS": json.dumps({"state": stage.state, "image": stage.image}),
        **environ,
    }
    return LoaderProcess(stage.folder / name, stage.broker.servers(), stage.registry, settings)


@pytest.mark.parametrize(
    "place",
    [
        "loader.before_commit",
        pytest.param("loader.after_load", marks=pytest.mark.full),
        pytest.param("loader.after_dead_letters", marks=pytest.mark.full),
    ],
)
def test_a_kill_between_the_database_and_the_commit_loses_and_doubles_nothing(
    stage: Stage, database: Database, place: str
) -> None:
    bad: list[tuple[bytes | None, list[tuple[str, bytes]]]] = [stage.signed(PATIENT.encode())]
    stage.publish(stage.state, [*stage.states(120), *bad], partition=0)
    doomed = _loader(stage, database, "doomed", APPLIANCE_FAILPOINTS=f"{place}=kill@{1 if 'dead' in place else 2}")
    with doomed:
        wait_until(lambda: not doomed.program.running, 30)
    before = stage.committed(stage.state)[0]
    assert before < 121
    assert len(database.rows(STATES)) >= min(before, 120)
    with _loader(stage, database, "next") as loader:
        wait_until(lambda: stage.drained(stage.state, 121), 30, every=0.1)
        output = loader.output()
    assert len(database.rows(STATES)) == 120
    assert len(stage.dead(stage.state)) == (2 if place == "loader.after_dead_letters" else 1)
    assert PATIENT not in output


def _replayed(stage: Stage, database: Database) -> list[tuple[Any, ...]]:
    joined = "dicom_state_meta d JOIN edge_receipt r USING (series_uid) WHERE r.sop_uid = ''"
    return sorted(database.rows(f"SELECT d.*, r.seq FROM {joined}"))


def test_a_replay_changes_neither_rows_nor_receipts_and_the_numbers_are_told(stage: Stage, database: Database) -> None:
    (port,) = free_ports(1)
    stage.publish(stage.state, stage.states(60, revision=1))
    stage.publish(stage.state, stage.states(60, revision=2))
    stage.publish(stage.image, stage.images(10))
    with _loader(stage, database, "first") as loader:
        wait_until(lambda: stage.drained(stage.state, 120) and stage.drained(stage.image, 10), 30, every=0.1)
        assert loader.stop() == 0
    before = _replayed(stage, database)
    assert len(before) == 60
    assert {row[1] for row in database.rows(STATES)} == {2}
    stage.rewind(stage.state)
    with _loader(stage, database, "second", APPLIANCE__CENTRAL__LOADER__METRICS_PORT=str(port)) as loader:
        wait_until(lambda: stage.drained(stage.state, 120), 30, every=0.1)
        wait_until(lambda: loader.numbers().get("loaded", {}).get(stage.state) == 120, 5)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        assert loader.stop() == 0
        assert not loader.numbers()
    assert f'dicom_edge_loader_records_loaded_total{{topic="{stage.state}"}} 120.0' in text
    assert _replayed(stage, database) == before


def test_images_go_to_doris_and_its_absence_holds_up_nothing_else(
    stage: Stage, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    with DorisServer(tmp_path / "doris", ddl()) as doris:
        prefix = "APPLIANCE__CENTRAL__"
        environ = {
            f"{prefix}LOADER__IMAGE_STORE": "doris",
            f"{prefix}DORIS__URL": doris.url,
            f"{prefix}DORIS__DATABASE": "edge",
            f"{prefix}DORIS__USER": "loader",
            f"{prefix}DORIS__PASSWORD_FILE": str(tmp_path / "password"),
        }
        with _loader(stage, database, "both", **environ) as loader:
            doris.kill()
            stage.publish(stage.image, stage.images(20))
            stage.publish(stage.state, stage.states(20))
            wait_until(lambda: stage.drained(stage.state, 20), 30, every=0.1)
            assert not stage.drained(stage.image, 1)
            doris.start().wait_ready()
            wait_until(lambda: stage.drained(stage.image, 20), 30, every=0.1)
            assert PASSWORD not in loader.output()
        assert len(doris.rows("dicom_image_meta")) == 20
    assert database.rows("SELECT count(*) FROM edge_receipt") == [(40,)]


@pytest.mark.full
def test_while_postgres_is_away_nothing_is_committed_and_nothing_is_lost(stage: Stage, database: Database) -> None:
    with _loader(stage, database, "patient") as loader:
        stage.publish(stage.state, stage.states(20))
        wait_until(lambda: stage.drained(stage.state, 20), 30, every=0.1)
        database.server.kill()
        try:
            stage.publish(stage.state, stage.states(20, start=20))
            wait_until(lambda: loader.numbers().get("standing") == "waiting", 10)
            assert not stage.drained(stage.state, 21)
        finally:
            database.server.start().wait_ready()
        wait_until(lambda: stage.drained(stage.state, 40), 30, every=0.1)
    assert len(database.rows(STATES)) == 40
