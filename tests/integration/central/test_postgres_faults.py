"""What becomes of a batch when PostgreSQL is killed, frozen, full, shut or not ours to use."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from appliance.central.postgres import PostgresTarget
from appliance.central.postgres_link import PostgresSettings
from appliance.central.postgres_schema import grant, migrate
from appliance.central.receipts_writer import PostgresReceipts, PostgresReceiptSource
from appliance.central.targets import Kind, Misdirected, Unavailable
from tests.builders.certificates import Authority
from tests.integration.central.postgres_database import NAME, Database, batch, image, receipt, state, stored
from tests.waiting import wait_until

COUNT = "SELECT count(*) FROM dicom_state_meta"
ONE = batch(Kind.STATE, [state(1, 1)])
LOADER = "loader_role"


@pytest.fixture
def target(database: Database) -> Iterator[PostgresTarget]:
    """A target of the test's own database."""
    found = PostgresTarget(database.settings)
    yield found
    found.close()


def refusal(settings: PostgresSettings) -> Misdirected:
    """The one answer of a target that is set up wrongly."""
    target = PostgresTarget(settings)
    with pytest.raises(Misdirected) as caught:
        target.load(ONE)
    target.close()
    return caught.value


def test_a_server_killed_in_mid_batch_leaves_nothing_and_a_retry_all(
    database: Database, target: PostgresTarget
) -> None:
    rows = [state(n, 2) for n in range(400)]
    target.load(batch(Kind.STATE, [state(399, 1)]))
    caught: list[Exception] = []

    def load() -> None:
        try:
            target.load(batch(Kind.STATE, rows))
        except Unavailable as error:
            caught.append(error)

    with database.server.connect(database.name) as other:
        # The last key is held: the batch has written all others and waits.
        other.execute("BEGIN")
        other.execute("UPDATE dicom_state_meta SET study_id = 'held'")
        thread = threading.Thread(target=load)
        thread.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_until(lambda: database.rows(waiting)[0][0])
        database.server.kill()
    thread.join(20)
    database.server.restart()
    assert len(caught) == 1
    assert database.rows("SELECT count(*), max(revision) FROM dicom_state_meta") == [(1, 1)]
    assert not target.load(batch(Kind.STATE, rows))
    assert database.rows("SELECT count(*), min(revision) FROM dicom_state_meta") == [(400, 2)]


def test_what_load_has_returned_survives_a_kill(database: Database, target: PostgresTarget) -> None:
    for at in range(3):
        assert not target.load(batch(Kind.STATE, [state(n, 1) for n in range(at * 10, at * 10 + 10)]))
        database.server.kill()
        database.server.restart()
        assert database.rows(COUNT) == [(10 * at + 10,)]
        with pytest.raises(Unavailable):
            target.load(ONE)


def test_a_frozen_server_is_given_up_within_the_timeout(database: Database) -> None:
    target = PostgresTarget(replace(database.settings, statement_timeout=1.0))
    target.load(ONE)
    database.server.pause()
    try:
        for seconds in (4.0, 3.0):  # in mid-session, then while connecting
            before = time.monotonic()
            with pytest.raises(Unavailable):
                target.load(ONE)
            assert time.monotonic() - before < seconds
    finally:
        database.server.resume()
    assert not target.load(batch(Kind.STATE, [state(2, 1)]))
    assert database.rows(COUNT) == [(2,)]
    target.close()


def test_rows_that_somebody_holds_are_waited_for_and_then_left(database: Database) -> None:
    target = PostgresTarget(replace(database.settings, lock_timeout=0.3))
    target.load(ONE)
    with database.server.connect(database.name) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE dicom_state_meta")
        with pytest.raises(Unavailable, match="55P03"):
            target.load(ONE)
    assert not target.load(ONE)
    target.close()


def test_an_ended_session_is_made_again(database: Database, target: PostgresTarget) -> None:
    target.load(ONE)
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name <> ''")
    with pytest.raises(Unavailable):
        target.load(ONE)
    assert not target.load(ONE)


def test_a_server_that_is_not_there_is_waited_for(database: Database) -> None:
    nowhere = PostgresTarget(replace(database.settings, port=1))
    with pytest.raises(Unavailable, match="cannot be reached"):
        nowhere.load(ONE)
    nowhere.close()


def test_too_many_connections_are_no_fault_of_ours(database: Database, tmp_path: Path) -> None:
    database.server.create_role("crowded", "crowded")
    database.execute("ALTER ROLE crowded CONNECTION LIMIT 0")
    target = PostgresTarget(database.as_role("crowded", tmp_path))
    with pytest.raises(Unavailable):
        target.load(ONE)
    target.close()
    database.execute("DROP ROLE crowded")


def test_a_database_that_takes_no_writes_is_waited_for(database: Database, target: PostgresTarget) -> None:
    database.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    with pytest.raises(Unavailable):
        target.load(ONE)
    with database.server.connect() as elsewhere:
        elsewhere.execute(f"ALTER DATABASE {database.name} RESET default_transaction_read_only".encode())
    assert not target.load(ONE)


def test_a_full_disk_is_no_rows_fault(database: Database, target: PostgresTarget) -> None:
    # What a server says whose disk is full (SQLSTATE 53100), said by a trigger.
    database.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = 'disk_full'; END $$",
        "CREATE TRIGGER full_disk BEFORE INSERT ON dicom_state_meta FOR EACH ROW EXECUTE FUNCTION full_disk()",
    )
    with pytest.raises(Unavailable, match="53100"):
        target.load(ONE)
    database.execute("DROP TRIGGER full_disk ON dicom_state_meta")
    assert not target.load(ONE)


def test_a_session_that_would_not_wait_for_the_disk_is_made_to(database: Database, target: PostgresTarget) -> None:
    database.execute(f"ALTER DATABASE {database.name} SET synchronous_commit = off")
    target.load(ONE)
    database.server.kill()
    database.server.restart()
    assert database.rows(COUNT) == [(1,)]


def test_a_wrong_password_name_or_database_is_somebodys_to_mend(database: Database, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-this-one")
    for mistaken in (
        replace(database.settings, password_file=wrong),
        replace(database.settings, password_file=None),
        replace(database.settings, user="nobody"),
        replace(database.settings, database="elsewhere"),
        replace(database.settings, password_file=tmp_path / "missing"),
    ):
        error = refusal(mistaken)
        assert error.hint and "not-this-one" not in f"{error} {error.hint}"


def test_a_missing_table_column_or_right_is_somebodys_to_mend(database: Database, tmp_path: Path) -> None:
    database.server.create_role("stranger", "stranger")
    assert "42501" in str(refusal(database.as_role("stranger", tmp_path)))
    database.execute("ALTER TABLE dicom_state_meta DROP COLUMN study_id")
    assert "42703" in str(refusal(database.settings))
    database.execute("DROP TABLE dicom_state_meta")
    assert "42P01" in str(refusal(database.settings))
    database.execute("DROP TABLE edge_schema", "DROP ROLE stranger")
    assert "central init" in refusal(database.settings).hint


def test_a_server_of_another_name_or_authority_is_refused(database: Database, tmp_path: Path) -> None:
    authority = database.server.authority
    assert authority is not None
    right = replace(database.settings, tls="verify-full", tls_ca=authority.certificate)
    target = PostgresTarget(right)
    assert not target.load(ONE)
    used = database.rows(
        "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND state = 'idle'"
    )
    assert used[0][0] >= 1
    target.close()
    # 127.0.0.2 is the same server, and its certificate does not say so.
    assert "another name" in str(refusal(replace(right, host="127.0.0.2")))
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").certificate
    assert "not accepted" in str(refusal(replace(right, tls_ca=stranger)))
    assert "not accepted" in str(refusal(replace(right, tls_ca=None)))
    assert "tls_ca" in str(refusal(replace(right, tls_ca=tmp_path / "missing")))


def test_the_loaders_role_may_do_its_work_and_nothing_else(database: Database, tmp_path: Path) -> None:
    database.server.create_role(LOADER, LOADER)
    for _ in range(2):
        grant(database.settings, [LOADER])
    settings = database.as_role(LOADER, tmp_path)
    target, book, source = PostgresTarget(settings), PostgresReceipts(settings), PostgresReceiptSource(settings)
    for at in range(2):
        assert not target.load(batch(Kind.STATE, [state(1, 1 + at)]))
        assert not target.load(batch(Kind.IMAGE, [image(1, 1 + at)]))
        assert not target.load(batch(Kind.STORAGE, [stored(at)]))
        book.write([receipt(1, 1 + at)])
    assert [row.revision for _, row in source.after(0, 10)] == [2]
    for part in (target, book, source):
        part.close()
    with database.server.connect(database.name, user=LOADER, password=LOADER) as connection:
        for forbidden in (
            "DELETE FROM dicom_state_meta",
            "DROP TABLE edge_receipt",
            "UPDATE edge_schema SET version = 2",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden.encode())
    with pytest.raises(Misdirected):
        migrate(replace(settings, database="postgres"))
    database.execute(f"DROP OWNED BY {LOADER}", f"DROP ROLE {LOADER}")


def test_no_error_carries_a_value_of_the_row(database: Database, target: PostgresTarget) -> None:
    rows = [state(1, 1, patient_name=NAME * 9), state(2, 1, patient_birth_date=NAME)]
    reasons = " ".join(fault.reason for fault in target.load(batch(Kind.STATE, rows)).values())
    assert reasons and NAME not in reasons and "Müller" not in reasons
