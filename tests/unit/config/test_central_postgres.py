"""The table `central.postgres`: far servers are verified, and secrets come from files."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from appliance.config.central import PostgresSection
from appliance.errors import ConfigurationError


@pytest.mark.parametrize(
    ("host", "tls"),
    [
        ("127.0.0.1", "prefer"),
        ("127.9.9.9", "prefer"),
        ("::1", "prefer"),
        ("localhost", "prefer"),
        ("10.0.0.1", "verify-full"),
        ("db.example", "verify-full"),
        ("localhost.example", "verify-full"),
    ],
)
def test_whoever_is_not_on_this_machine_is_verified(host: str, tls: str) -> None:
    assert PostgresSection(host=host).values({})["tls"] == tls
    assert PostgresSection(host=host, tls="require").values({})["tls"] == "require"


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "a,b"},
        {"host": "db user=x"},
        {"database": "dicom host=elsewhere"},
        {"user": "a'b"},
        {"tls": "maybe"},
        {"port": 0},
        {"connect_timeout": 1},
        {"statement_timeout": 0},
        {"tls_certificate": Path("/a.pem")},
        {"password": "secret"},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PostgresSection.model_validate(wrong)


def test_a_password_is_beside_the_configuration_or_handed_over() -> None:
    section = PostgresSection(password_file=Path("db.password"))
    assert section.values({"CREDENTIALS_DIRECTORY": "/run/c"})["password_file"] == Path("/run/c/db.password")
    with pytest.raises(ConfigurationError, match=r"central\.postgres\.password_file"):
        section.values({})
