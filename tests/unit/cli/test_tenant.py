"""`--tenant`: a person at a receiver's home, who looks at what one site's tenant has there."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import cli
from tests.archives import new_archive, sender
from tests.builders.instances import ct, part10


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A receiver's home, with one object of the tenant north."""
    archive = new_archive(tmp_path / "home", tenant="central", site="centre-1")
    archive.of("north").ingest.receive_file(BytesIO(part10(ct())), sender())
    archive.close()
    (tmp_path / "c.toml").write_text(f'home = "{tmp_path}/home"\n[site]\nid = "centre-1"\ntenant = "central"\n')
    return tmp_path


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(home / "c.toml"), *arguments])


def test_what_waits_of_a_tenant_is_listed_and_mended_under_its_name(home: Path) -> None:
    assert json.loads(run(home, "outbox", "list", "--json").stdout) == []
    rows = json.loads(run(home, "--tenant", "north", "outbox", "list", "--json").stdout)
    assert rows
    assert "0 " in run(home, "outbox", "retry", "--all").output
    assert f"{len(rows)} " in run(home, "--tenant", "north", "outbox", "retry", "--all").output


def test_a_tenant_nobody_has_is_no_empty_list(home: Path) -> None:
    done = run(home, "--tenant", "noth", "outbox", "list")
    assert done.exit_code != 0 and "nothing is kept of the tenant noth" in done.output and "north" in done.output
