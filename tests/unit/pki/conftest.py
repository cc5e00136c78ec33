"""One authority for the module's tests, and a directory of their own for each."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from pki import revocation
from pki.authority import Authority, create
from pki.constraints import constraints
from pki.layout import Layout

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest.fixture(scope="session")
def authority() -> Authority:
    """An authority confined to clinic.example and private networks."""
    return create("Clinic 7", now=NOW, confined=constraints(["clinic.example"]))


@pytest.fixture
def layout(tmp_path: Path, authority: Authority) -> Layout:
    """A directory with the authority and an empty list, and nothing given out."""
    made = Layout(tmp_path / "pki")
    made.root.mkdir()
    with made.changing():
        made.found(authority)
        revocation.publish(made, authority, now=NOW)
    return made
