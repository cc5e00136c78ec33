"""Rooms run for months and share a small machine: none of them holds what only others, or only some moments, need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from appliance.__main__ import DECODERS
from appliance.cli.lazy_verbs import LazyVerbs
from appliance.cli.main import VERBS, cli
from tests.architecture.source import ROOT

SHELL = frozenset({"sqlite_utils", "kafka", "psycopg", *DECODERS})
# room -> what it may not have loaded once it serves
STRANGERS = {
    "scp": SHELL | {"flask", "jinja2", "paho", "waitress"},
    "web": SHELL | {"paho", "pydicom", "pynetdicom"},
    "sync": SHELL | {"argon2", "flask", "jinja2", "paho", "pydicom", "pynetdicom", "requests", "waitress"},
    "monitor": SHELL | {"argon2", "flask", "jinja2", "pydicom", "pynetdicom", "requests", "waitress"},
    "codec": SHELL | {"argon2", "flask", "jinja2", "paho", "pydicom", "pynetdicom", "requests", "waitress"},
}
# As a room starts: by the command, which tells its verb and loads its main.
LOADING = """
import sys
from importlib import import_module, util
from appliance.__main__ import without_decoders
without_decoders()
from appliance.cli.main import cli
room = sys.argv[1]
cli.commands[room]
if util.find_spec(f"appliance.{room}.main"):
    import_module(f"appliance.{room}.main")
print(*(name for name, module in sys.modules.items() if module is not None and "." not in name))
"""


@pytest.mark.parametrize("room", STRANGERS)
def test_a_room_loads_no_strangers(room: str, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", LOADING, room], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    found = set(done.stdout.split())
    assert "appliance" in found
    assert not found & STRANGERS[room]


def test_every_verb_has_the_name_that_it_is_looked_up_by() -> None:
    assert {name: cli.commands[name].name for name in VERBS} == {name: name for name in VERBS}


def test_a_verb_is_loaded_when_it_is_looked_up() -> None:
    verbs = LazyVerbs({"here": "appliance.cli.status:status", "nowhere": "appliance.nothing:at_all"})
    assert "nowhere" in verbs
    assert sorted(verbs) == ["here", "nowhere"]
    assert isinstance(verbs["here"], click.Command)
    with pytest.raises(ModuleNotFoundError):
        verbs["nowhere"]
    with pytest.raises(KeyError):
        verbs["other"]
    verbs["other"] = verbs["here"]
    del verbs["nowhere"]
    assert dict(verbs) == {"here": verbs["here"], "other": verbs["here"]}
