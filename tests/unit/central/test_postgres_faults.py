"""Whose fault an error of PostgreSQL is, and that its text goes no further."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from appliance.central.postgres_faults import Blame, blame, describe, translate, translate_connecting
from appliance.central.targets import Misdirected, Unavailable
from appliance.errors import DeliveryError

PATIENT = "Müllerová^Žofie"

CASES = {
    Blame.LINE: "08000 08006 25006 40001 40P01 53100 53200 53300 55P03 57014 57P01 57P02 57P03 57P05 58030 XX000",
    Blame.SETTINGS: "0A000 28000 28P01 3D000 3F000 42501 42703 42P01 42P10",
    Blame.ROW: "22001 22003 22007 22008 22021 22P02 22P05 23502 23503 23505 23514 44000 54000 P0001",
    Blame.UNKNOWN: "F0000 2F005 39000",
}


def an_error(state: str) -> psycopg.Error:
    """An error of that SQLSTATE, with a patient in its text."""
    try:
        kind: type[psycopg.Error] = errors.lookup(state)
    except KeyError:
        kind = psycopg.DatabaseError
    error = kind(f"Key (patient_name)=({PATIENT}) is bad")
    error.sqlstate = state
    return error


@pytest.mark.parametrize(("whose", "state"), [(whose, one) for whose, text in CASES.items() for one in text.split()])
def test_each_sqlstate_has_its_culprit(whose: Blame, state: str) -> None:
    assert blame(an_error(state)) is whose


def test_a_lost_connection_is_the_lines_fault() -> None:
    assert blame(psycopg.OperationalError("server closed the connection")) is Blame.LINE
    assert isinstance(translate(psycopg.OperationalError("EOF")), Unavailable)


@pytest.mark.parametrize("state", ["08006", "57P01", "42P01", "28P01", "XX000"])
def test_a_translation_names_the_state_and_no_value(state: str) -> None:
    told = translate(an_error(state))
    assert type(told) is {"4": Misdirected, "2": Misdirected}.get(state[0], Unavailable)
    assert state in str(told) and PATIENT not in f"{told} {told.hint}"


@pytest.mark.parametrize("state", ["22001", "23514", "F0000"])
def test_what_may_be_a_rows_fault_is_never_waited_for(state: str) -> None:
    assert type(translate(an_error(state))) is DeliveryError


def test_a_rows_fault_names_column_and_table_and_no_value() -> None:
    told = describe(an_error("22001"), "dicom_state_meta", "patient_name")
    assert told.startswith("PostgreSQL 22001 StringDataRightTruncation:")
    assert "column patient_name of dicom_state_meta" in told and PATIENT not in told
    assert "(dicom_state_meta)" in describe(an_error("54000"), "dicom_state_meta", "")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('FATAL:  password authentication failed for user "x"', Misdirected),
        ('FATAL:  database "x" does not exist', Misdirected),
        ("FATAL:  no pg_hba.conf entry for host", Misdirected),
        ("SSL error: certificate verify failed", Misdirected),
        ('server certificate for "a" does not match host name "b"', Misdirected),
        ("server does not support SSL, but SSL was required", Misdirected),
        ("Connection refused", Unavailable),
        ("timeout expired", Unavailable),
        ("FATAL:  the database system is starting up", Unavailable),
        ("FATAL:  sorry, too many clients already", Unavailable),
        ("FATAL:  remaining connection slots are reserved", Unavailable),
        ("session is read-only", Unavailable),
        ("SSL error: unexpected eof while reading", Unavailable),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", Unavailable),
    ],
)
def test_a_connection_that_does_not_come_about_has_its_reason(said: str, kind: type[Exception]) -> None:
    told = translate_connecting(psycopg.OperationalError(f"connection failed: {said}"))
    assert type(told) is kind and told.hint
