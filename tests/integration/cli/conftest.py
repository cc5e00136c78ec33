"""An initialised home, and the verbs in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from appliance.cli.installation import Installation
from appliance.cli.main import cli


@dataclass(frozen=True)
class Home:
    """One home directory and its verbs."""

    path: Path

    def run(self, *arguments: str | Path, code: int = 0) -> Result:
        """Run a verb; it must end with `code` and never with a traceback."""
        result = CliRunner().invoke(cli, ["--home", str(self.path), *map(str, arguments)], catch_exceptions=False)
        assert result.exit_code == code, f"{arguments}: {result.exit_code}\n{result.output}"
        return result

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """What a verb prints with --json."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    @property
    def installation(self) -> Installation:
        """The installation the verbs work on."""
        return Installation.chosen(None, self.path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An initialised home with a small reserve and no ballast."""
    monkeypatch.setenv("APPLIANCE__ARCHIVE__RESERVE_BYTES", "1000000")
    monkeypatch.setenv("APPLIANCE__ARCHIVE__BALLAST_BYTES", "0")
    found = Home(tmp_path / "home")
    found.run("init")
    return found
