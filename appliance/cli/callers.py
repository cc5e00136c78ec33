"""`appliance callers`: who knocked at the DICOM door and was turned away."""

from __future__ import annotations

import click

from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import print_rows, timed

COLUMNS = ("ae_title", "address", "reason", "count", "last_at")


@click.group()
def callers() -> None:
    """Callers that were refused an association."""


@callers.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@pass_installation
def list_(installation: Installation, as_json: bool) -> None:
    """List refused callers with the reason, how often, and when last."""
    with installation.archive() as archive:
        rows = [timed(caller) for caller in archive.callers.list()]
    print_rows(rows, COLUMNS, as_json=as_json, empty="No caller has been refused.")
