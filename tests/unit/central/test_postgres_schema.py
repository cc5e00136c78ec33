"""Steps of the schema, and the rights of the loader's role."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.central.postgres_link import PostgresSettings, parameters
from appliance.central.postgres_schema import VERSION, grants, migrations
from appliance.central.targets import Misdirected

FAR = PostgresSettings("db.example", 5432, "dicom", "appliance")


def test_the_steps_are_numbered_without_a_gap() -> None:
    assert [step.version for step in migrations()] == list(range(1, VERSION + 1))


def test_no_step_removes_anything() -> None:
    assert not [step.version for step in migrations() if "DROP" in step.text.upper() or "DELETE" in step.text.upper()]


def test_a_role_may_not_delete_and_its_name_is_quoted() -> None:
    text = "\n".join(grants('odd"; DROP TABLE edge_receipt; --'))
    assert "DELETE" not in text and "TRUNCATE" not in text and "ALL" not in text
    assert text.count('"odd""; DROP TABLE edge_receipt; --"') == 3


def test_far_servers_are_verified_by_the_systems_authorities_or_ours() -> None:
    assert parameters(FAR)["sslmode"] == "verify-full" and parameters(FAR)["sslrootcert"] == "system"
    ours = PostgresSettings("db.example", 5432, "dicom", "appliance", tls_ca=Path("/ca.pem"))
    assert parameters(ours)["sslrootcert"] == "/ca.pem"


def test_only_a_server_that_takes_writes_is_connected_to() -> None:
    found = parameters(FAR)
    assert found["target_session_attrs"] == "read-write" and "statement_timeout=30000" in found["options"]


def test_the_password_is_read_from_its_file_and_a_missing_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("se cret\n")
    named = PostgresSettings("h", 1, "d", "u", password_file=file)
    assert parameters(named)["password"] == "se cret" and "se cret" not in repr(named)
    file.unlink()
    with pytest.raises(Misdirected, match="password file"):
        parameters(named)
