"""`appliance quarantine`: objects that arrived but could not be indexed."""

from __future__ import annotations

from pathlib import Path

import click

from appliance.cli.installation import Installation, pass_installation
from appliance.cli.new_file import new_file
from appliance.cli.output import print_facts, print_rows, timed
from appliance.cli.owner import acting_as_caller

COLUMNS = ("id", "received_at", "source_ae", "source_address", "size", "reason")


@click.group()
def quarantine() -> None:
    """Objects that could not be indexed; their bytes are kept within a quota."""


@quarantine.command("list")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@pass_installation
def list_(installation: Installation, limit: int, as_json: bool) -> None:
    """List quarantined objects with sender and reason."""
    with installation.archive() as archive:
        rows = [timed(entry) for entry in archive.quarantine.list(limit=limit)]
    print_rows(rows, COLUMNS, as_json=as_json, empty="The quarantine is empty.")


@quarantine.command()
@click.argument("entry_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
def show(installation: Installation, entry_id: int, as_json: bool) -> None:
    """Show everything that is known of one quarantined object."""
    with installation.archive() as archive:
        facts = timed(archive.quarantine.show(entry_id))
    print_facts(facts, as_json=as_json)


@quarantine.command()
@click.argument("entry_id", metavar="ID", type=int)
@click.argument("path", type=click.Path(path_type=Path), callback=new_file)
@pass_installation
def export(installation: Installation, entry_id: int, path: Path) -> None:
    """Write one quarantined object to the new file PATH: our file header (group 2), then the bytes as they came."""
    with installation.archive() as archive, acting_as_caller():
        archive.quarantine.export(entry_id, path)
    click.echo(f"Exported to {path}")
