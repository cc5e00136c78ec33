"""`appliance conflict`: one SOP Instance UID that arrived with different contents."""

from __future__ import annotations

import getpass
from typing import Any, Literal

import click

from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import DatabaseRow, print_facts, print_rows, timed

COLUMNS = ("id", "sop_uid", "first_source_ae", "further_source_ae", "policy", "current", "settled", "created_at")


@click.group()
def conflict() -> None:
    """Objects with the same SOP Instance UID but different contents; both are kept."""


@conflict.command("list")
@click.option("--all", "settled", is_flag=True, help="Settled ones, too.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Pass by so many first.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@pass_installation
def list_(installation: Installation, settled: bool, limit: int, offset: int, as_json: bool) -> None:
    """List conflicts that wait for a decision, oldest first."""
    with installation.archive() as archive:
        found = archive.conflicts.list(settled=settled, limit=limit, offset=offset)
        rows = [conflict_facts(row) for row in found]
    print_rows(rows, COLUMNS, as_json=as_json, empty="There is no conflict.")


@conflict.command()
@click.argument("conflict_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
def show(installation: Installation, conflict_id: int, as_json: bool) -> None:
    """Show both contents of one conflict: source, time, digest, which one is current."""
    with installation.archive() as archive:
        facts = conflict_facts(archive.conflicts.show(conflict_id))
    print_facts(facts, as_json=as_json)


@conflict.command()
@click.argument("conflict_id", metavar="ID", type=int)
@click.option(
    "--version",
    "chosen",
    type=click.Choice(["first", "further"]),
    required=True,
    help="first: the content that was there; further: the one that came later.",
)
@pass_installation
def accept(installation: Installation, conflict_id: int, chosen: Literal["first", "further"]) -> None:
    """Settle a conflict: the chosen content becomes current and is forwarded, the other is kept."""
    with installation.archive() as archive:
        archive.conflicts.accept(conflict_id, version=chosen, by=operator())
    click.echo(f"Conflict {conflict_id} is settled: {chosen}.")


def conflict_facts(row: DatabaseRow) -> dict[str, Any]:
    """One conflict as it is printed; `current` is the content shown and forwarded: first, further, or another."""
    standing = {name: row[f"{name}_standing"] for name in ("first", "further")}
    current = next((name for name, value in standing.items() if value == "current"), "another")
    return {**timed(row), "settled": bool(row["settled"]), "current": current}


def operator() -> str:
    """Who settles it, for the custody ledger: the login name, or the user id where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
