"""Who may import whom: the contracts of setup.cfg."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

BREACHES = [
    ("appliance/scp/breach.py", "import appliance.web\n"),
    ("appliance/model/breach.py", "import appliance.archive\n"),
    ("appliance/archive/breach.py", "import appliance.dicomweb\n"),
    ("appliance/archive/breach.py", "import flask\n"),
    ("appliance/web/breach.py", "import pynetdicom\n"),
    ("appliance/web/breach.py", "import pysqlite3\n"),
    ("appliance/web/breach.py", "from appliance.config import Settings\n"),
    ("appliance/model/breach.py", "import os\n"),
    ("appliance/sync/breach.py", "import click\n"),
    ("appliance/sync/breach.py", "import paho.mqtt.client\n"),
    ("appliance/monitor/breach.py", "import appliance.sync\n"),
    ("appliance/breach.py", ""),
    ("pki/breach.py", "import appliance.errors\n"),
    ("appliance/scp/breach.py", "import pki\n"),
]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the packages of `folder`."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, "--no-cache"]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False, timeout=100)


def copied(folder: Path) -> Path:
    """Return a copy of the packages' imports: whole sources, without data."""
    for package in ("appliance", "pki"):
        for path in (ROOT / package).rglob("*.py"):
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "setup.cfg").write_text((ROOT / "setup.cfg").read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def test_every_contract_is_kept() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("name", "text"), BREACHES)
def test_a_breach_is_noticed(tmp_path: Path, name: str, text: str) -> None:
    folder = copied(tmp_path)
    (folder / name).write_text(text, encoding="utf-8")
    result = lint_imports(folder)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout
