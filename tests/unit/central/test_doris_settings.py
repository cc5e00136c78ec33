"""The table `central.doris` gives a target all it needs, and lets nothing strange into a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from appliance.central.doris_load import DorisOptions
from appliance.central.doris_schema import doris_ddl
from appliance.central.targets import Misdirected
from appliance.config.central import DorisSection
from appliance.errors import ConfigurationError


def test_the_table_becomes_the_options_of_a_target() -> None:
    section = DorisSection(url="https://fe.example:8030/", user="loader", password_file=Path("doris-password"))
    options = DorisOptions(**section.values({"CREDENTIALS_DIRECTORY": "/run/credentials"}))
    assert options.url == "https://fe.example:8030" and options.password_file == Path("/run/credentials/doris-password")
    assert DorisOptions(**DorisSection().values({})).backends == ()


def test_a_credential_that_nobody_handed_over_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"central\.doris\.password_file"):
        DorisSection(password_file=Path("doris-password")).values({})


def test_the_table_spreads_the_tables() -> None:
    sql = doris_ddl(DorisSection(database="clinic", buckets=32, replication=1))
    assert "USE `clinic`;" in sql and "BUCKETS 32" in sql and '"replication_num" = "1"' in sql


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://user:secret@fe.example:8030"},
        {"url": "mysql://fe.example"},
        {"database": "a/b"},
        {"user": "a:b"},
        {"cluster": "a b"},
        {"backends": ["http://be.example"]},
        {"buckets": 0},
    ],
)
def test_what_would_not_work_is_refused_at_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DorisSection(**wrong)


def test_a_password_file_that_cannot_be_read_is_for_somebody_to_mend(tmp_path: Path) -> None:
    options = DorisOptions("http://fe.example:8030", "d", "u", password_file=tmp_path / "none")
    with pytest.raises(Misdirected):
        options.password()


@pytest.mark.parametrize("text", ["pass word\n", "pass word\r\n", "pass word"])
def test_a_password_is_its_file_without_the_line_end(tmp_path: Path, text: str) -> None:
    (tmp_path / "p").write_bytes(text.encode())
    assert DorisOptions("http://fe.example:8030", "d", "u", password_file=tmp_path / "p").password() == "pass word"
