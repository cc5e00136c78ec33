"""Records in a real PostgreSQL: what is stored, what is replaced, and what is found at fault."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.central.admission import Cause
from appliance.central.postgres import PostgresTarget
from appliance.central.tables import FIELDS
from appliance.central.targets import Batch, Kind, Misdirected
from appliance.errors import DeliveryError
from appliance.model.records import Value
from tests.builders.cloud import PATIENT
from tests.integration.central.postgres_database import (
    NAME,
    TENANT,
    Database,
    batch,
    image,
    record,
    state,
    stored,
)
from tests.unit.central.test_loader import STATES as STATE_TOPIC
from tests.unit.central.test_loader import Stage

STATES = "SELECT series_uid, revision, series_description FROM dicom_state_meta ORDER BY series_uid"


@pytest.fixture
def target(database: Database) -> Iterator[PostgresTarget]:
    """A target of the test's own database."""
    found = PostgresTarget(database.settings)
    yield found
    found.close()


@pytest.mark.parametrize("kind", list(Kind))
def test_every_field_of_a_record_arrives(target: PostgresTarget, database: Database, kind: Kind) -> None:
    row = record(kind)
    text: dict[str, Value] = {"patient_sex": "F"} if kind is Kind.STATE else {}
    names = [{"request_id": "log_id"}.get(field.name, field.name) for field in FIELDS[kind]]
    table = {"state": "state_meta", "image": "image_meta", "access": "access_log", "transcode": "transcode_log"}
    assert not target.load(batch(kind, [row | text]))
    columns = ", ".join(f'to_jsonb("{name}")' for name in names)
    (found,) = database.rows(f"SELECT {columns} FROM dicom_{table.get(kind, 'object_meta')}")
    expected = {name: (row | text)[field.name] for name, field in zip(names, FIELDS[kind], strict=True)}
    told = dict(zip(names, found, strict=True))
    assert {name: str(value).rstrip("0") for name, value in told.items()} == {
        name: str(value).rstrip("0") for name, value in expected.items()
    }


def test_what_is_absent_stays_absent(target: PostgresTarget, database: Database) -> None:
    nothing: dict[str, Value] = {"patient_name": None, "patient_birth_date": None, "series_number": None}
    assert not target.load(batch(Kind.STATE, [state(1, 1, **nothing)]))
    query = "SELECT patient_name, patient_birth_date, series_number FROM dicom_state_meta"
    assert database.rows(query) == [(None, None, None)]


def test_a_newer_revision_replaces_and_an_older_one_changes_nothing(target: PostgresTarget, database: Database) -> None:
    old, new = [state(n, 3) for n in range(4)], [state(n, 7) for n in range(2)]
    for rows in (old, new, old):
        assert not target.load(batch(Kind.STATE, rows))
    assert [row[1:] for row in database.rows(STATES)] == [(7, "revision 7")] * 2 + [(3, "revision 3")] * 2


def test_one_batch_may_hold_a_key_again_and_again(target: PostgresTarget, database: Database) -> None:
    assert not target.load(batch(Kind.STATE, [state(1, revision) for revision in (2, 9, 4, 9, 1)]))
    assert database.rows(STATES) == [("1.2.1", 9, "revision 9")]


def test_an_image_is_guarded_by_its_revision(target: PostgresTarget, database: Database) -> None:
    deleted, alive = image(1, 8, image_status="DELETED"), image(1, 5, image_status="ACTIVE")
    for rows in ([alive], [deleted], [alive]):
        assert not target.load(batch(Kind.IMAGE, rows))
    assert database.rows("SELECT image_status, revision FROM dicom_image_meta") == [("DELETED", 8)]


@pytest.mark.parametrize("kind", [Kind.LOG, Kind.ACCESS, Kind.TRANSCODE])
def test_what_cannot_change_is_kept_once(target: PostgresTarget, database: Database, kind: Kind) -> None:
    table = {"access": "access_log", "transcode": "transcode_log"}.get(kind, "object_meta")
    for _ in range(2):
        assert not target.load(batch(kind, [record(kind), record(kind)]))
    assert database.rows(f"SELECT count(*) FROM dicom_{table}") == [(1,)]


def test_tenants_do_not_touch_each_other(target: PostgresTarget, database: Database) -> None:
    other = state(1, 1, tenant_id="other", series_description="theirs")
    assert not target.load(batch(Kind.STATE, [state(1, 5), other]))
    query = "SELECT tenant_id, series_description FROM dicom_state_meta ORDER BY 1"
    assert database.rows(query) == [(TENANT, "revision 5"), ("other", "theirs")]


def test_a_new_object_makes_its_series_stale_and_a_replay_does_not(target: PostgresTarget, database: Database) -> None:
    rows = [stored(n, series=n % 2) for n in range(6)]
    assert not target.load(batch(Kind.STORAGE, rows))
    stale = "SELECT series_uid, json_status, study_date_origin, flag_time::text FROM dicom_json_meta ORDER BY 1"
    assert database.rows(stale) == [(f"1.2.{n}", 0, "20240131", "2024-01-31 10:11:12.5") for n in (0, 1)]
    database.execute("UPDATE dicom_json_meta SET json_status = 1")
    assert not target.load(batch(Kind.STORAGE, rows))
    assert {row[1] for row in database.rows(stale)} == {1}
    assert not target.load(batch(Kind.STORAGE, [stored(7, series=1, created_time="2024-01-30T00:00:00")]))
    assert database.rows(stale)[1] == ("1.2.1", 0, "20240131", "2024-01-31 10:11:12.5")


FAULTS: dict[str, tuple[dict[str, Value], str, str]] = {
    "too long": ({"series_description": "x" * 257}, "22001", "series_description"),
    "no date": ({"series_date": "2024-02-31"}, "22008", "series_date"),
    "no time": ({"study_time": "morning"}, "22007", "study_time"),
    "no number": ({"series_number": "many"}, "22P02", "series_number"),
    "too large": ({"series_number": 1 << 40}, "22003", "series_number"),
    "NUL": ({"study_id": "a\0b"}, "22P05", "study_id"),
    "half a character": ({"study_id": "\ud800"}, "22P02", "study_id"),
    "not a number": ({"patient_size": float("nan")}, "22P02", "patient_size"),
    "missing": ({"patient_id": None}, "23502", "patient_id"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_by_state_and_column_and_never_by_value(
    target: PostgresTarget, database: Database, fault: str
) -> None:
    values, sqlstate, column = FAULTS[fault]
    rows = [state(1, 1), state(2, 1, **values), state(3, 1)]
    found = target.load(batch(Kind.STATE, rows))
    assert list(found) == [1]
    reason = found[1].reason
    assert sqlstate in reason and f"column {column} of dicom_state_meta" in reason
    assert not any(part in reason for part in ("xxx", "2024", "many", "morning", NAME, NAME.encode().hex()))
    assert [row[0] for row in database.rows(STATES)] == ["1.2.1", "1.2.3"]


def test_a_rule_of_the_table_is_named(target: PostgresTarget, database: Database) -> None:
    database.execute("ALTER TABLE dicom_state_meta ADD CONSTRAINT adults CHECK (patient_weight > 30)")
    found = target.load(batch(Kind.STATE, [state(1, 1, patient_weight=12.5), state(2, 1, patient_weight=80)]))
    assert list(found) == [0] and "23514" in found[0].reason and "adults" in found[0].reason
    assert "12.5" not in found[0].reason


@pytest.mark.parametrize("seed", range(3))
def test_exactly_the_bad_rows_are_found(target: PostgresTarget, database: Database, seed: int) -> None:
    chance = random.Random(seed)
    bad = set(chance.sample(range(200), chance.choice((1, 5, 20))))
    kinds = [fault[0] for fault in FAULTS.values()]
    rows = [state(n, 1, **(chance.choice(kinds) if n in bad else {})) for n in range(200)]
    chance.shuffle(rows)
    planted = {at for at, row in enumerate(rows) if int(str(row["series_uid"])[4:]) in bad}
    assert set(target.load(batch(Kind.STATE, rows))) == planted
    assert {int(row[0][4:]) for row in database.rows(STATES)} == set(range(200)) - bad


def test_a_bad_row_hides_neither_its_predecessor_nor_behind_its_successor(
    target: PostgresTarget, database: Database
) -> None:
    bad: tuple[dict[str, Value], ...] = ({"patient_id": None}, {"study_id": "x" * 17})
    rows = [state(1, 5), state(1, 6, **bad[0]), state(1, 7, **bad[1]), state(2, 5, **bad[1]), state(2, 6)]
    assert set(target.load(batch(Kind.STATE, rows))) == {1, 2, 3}
    assert database.rows(STATES) == [("1.2.1", 5, "revision 5"), ("1.2.2", 6, "revision 6")]


def test_a_batch_of_bad_rows_stores_nothing_and_names_all(target: PostgresTarget, database: Database) -> None:
    rows = [state(n, 1, study_id="x" * 17) for n in range(40)]
    assert set(target.load(batch(Kind.STATE, rows))) == set(range(40))
    assert not database.rows(STATES)


def test_a_batch_with_many_bad_rows_of_both_sorts_is_not_too_much(target: PostgresTarget, database: Database) -> None:
    database.execute("ALTER TABLE dicom_state_meta ADD CONSTRAINT adults CHECK (patient_weight > 30)")
    bad: dict[int, dict[str, Value]] = {1: {"study_id": "x" * 17}, 6: {"patient_weight": 12.5}}
    rows = [state(n, 1, **({"patient_weight": 80.0} | bad.get(n % 10, {}))) for n in range(500)]
    assert set(target.load(batch(Kind.STATE, rows))) == {n for n in range(500) if n % 10 in bad}
    assert database.rows("SELECT count(*) FROM dicom_state_meta") == [(400,)]


@pytest.mark.parametrize("seed", range(2))
def test_loaders_side_by_side_end_at_the_highest_revision(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    said = [(chance.randrange(30), chance.randrange(1, 100)) for _ in range(600)]
    batches = [[state(series, revision) for series, revision in said[at : at + 20]] for at in range(0, 600, 20)]
    chance.shuffle(batches)
    faults: list[object] = []

    def loads(share: list[list[dict[str, Value]]]) -> None:
        target = PostgresTarget(database.settings)
        for rows in share:
            faults.extend(target.load(batch(Kind.STATE, rows)))
        target.close()

    # Each batch comes twice, once by either loader: a replay beside the real thing.
    threads = [threading.Thread(target=loads, args=(share,)) for share in (batches, batches[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    highest = {f"1.2.{series}": max(r for s, r in said if s == series) for series, _ in said}
    assert not faults
    assert database.rows(STATES) == [(uid, highest[uid], f"revision {highest[uid]}") for uid in sorted(highest)]


def test_loaders_of_the_same_objects_wait_for_each_other_and_never_in_a_circle(database: Database) -> None:
    chance = random.Random(7)
    rows = [stored(n, series=n % 9) for n in range(400)]
    troubles: list[Exception] = []

    def loads(seed: int) -> None:
        target, order = PostgresTarget(database.settings), random.Random(seed)
        try:
            for _ in range(6):
                assert not target.load(batch(Kind.STORAGE, order.sample(rows, 200)))
        except Exception as error:  # boundary: told by the test's own thread
            troubles.append(error)
        target.close()

    threads = [threading.Thread(target=loads, args=(chance.random(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not troubles
    assert database.rows("SELECT count(*), count(DISTINCT sop_uid) FROM dicom_object_meta")[0][0] > 350
    assert database.rows("SELECT count(*) FROM dicom_json_meta") == [(9,)]


def test_a_rule_that_speaks_only_at_the_commit_is_left_to_the_caller(
    target: PostgresTarget, database: Database
) -> None:
    """It names no row: the loader halves the batch until it has it alone."""
    database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'Müller' USING ERRCODE = 'check_violation'; END $$",
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON dicom_state_meta DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW WHEN (new.series_uid = '1.2.1') EXECUTE FUNCTION refuse()",
    )
    with pytest.raises(DeliveryError) as caught:
        target.load(batch(Kind.STATE, [state(1, 1), state(2, 1)]))
    assert type(caught.value) is DeliveryError and "Müller" not in str(caught.value)
    assert not target.load(batch(Kind.STATE, [state(2, 1)]))
    assert database.rows(STATES) == [("1.2.2", 1, "revision 1")]


def test_tables_of_another_version_are_refused(database: Database) -> None:
    database.execute("INSERT INTO edge_schema (version) VALUES (99)")
    target = PostgresTarget(database.settings)
    with pytest.raises(Misdirected, match="version 99"):
        target.load(batch(Kind.STATE, [state(1, 1)]))
    target.close()


def test_a_batch_without_rows_needs_no_database(database: Database) -> None:
    nowhere = PostgresTarget(replace(database.settings, port=1))
    assert not nowhere.load(Batch("t", 0, 0, 0, Kind.STATE, (), ""))
    nowhere.close()


BREAKS = """
CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.series_uid = '1.2.4' THEN RAISE EXCEPTION 'broken page at %', NEW.patient_name USING ERRCODE = 'XX001'; END IF;
  RETURN NEW;
END $$
"""


def test_a_row_that_the_server_breaks_on_every_time_blocks_no_partition(database: Database, tmp_path: Path) -> None:
    database.execute(
        BREAKS, "CREATE TRIGGER t BEFORE INSERT ON dicom_state_meta FOR EACH ROW EXECUTE FUNCTION breaks()"
    )
    stage = Stage(tmp_path, attempts=3, rows=8)
    target = PostgresTarget(database.settings)
    stage.states = target  # type: ignore[assignment]
    stage.restart()
    for _ in range(8):
        stage.good((STATE_TOPIC, 0))
    stage.run(4000)
    target.close()
    assert [letter.rejection.cause for letter in stage.graves.letters] == [Cause.UNKNOWN]
    assert PATIENT not in stage.graves.letters[0].rejection.reason
    assert len(database.rows("SELECT 1 FROM dicom_state_meta")) == 7
