"""Verbs of a box's installation, run in this process: starting Python for each of them would cost a second."""

from __future__ import annotations

from click.testing import CliRunner, Result

from appliance.cli.main import cli
from tests.partners.appliance import Appliance


def run(box: Appliance, *arguments: str) -> Result:
    """Run a verb with the environment of the box; a traceback fails the test."""
    return CliRunner().invoke(cli, list(arguments), env=box.environ, catch_exceptions=False)
