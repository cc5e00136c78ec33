"""`appliance db`: the database's schema version, and its migration."""

from __future__ import annotations

import click

from appliance.archive import migrations
from appliance.care.safety_copy import keep_copy
from appliance.cli.exit_codes import ExitCode
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import print_facts
from appliance.cli.owner import acting_for
from appliance.clock import SystemClock


@click.group()
def db() -> None:
    """The database of index, outbox and custody ledger."""


@db.command()
@click.option("--no-backup", is_flag=True, help="Keep no copy of the databases: there is no way back then.")
@pass_installation
def migrate(installation: Installation, no_backup: bool) -> None:
    """Bring the database to this version's schema; stop the rooms first. Safe to repeat.

    Where there is something to do, index and accounts are copied to `backups` in the home before; the newest two
    copies are kept.
    """
    layout, clock = installation.layout, SystemClock()
    installation.require_database()  # a missing one is a mistake here, not something to create
    with acting_for(layout.home):
        before = migrations.state(layout.database)
        if before.pending and not no_backup:
            click.echo(f"copied to {keep_copy(layout.home, layout.database, schema=before.version, clock=clock)}")
        steps = migrations.migrate(layout.database, tenant=layout.tenant, clock=clock)
    for step in steps:
        click.echo(f"applied {step}")
    click.echo(f"The database has schema {migrations.SCHEMA_VERSION}.")


@db.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
@click.pass_context
def status_(ctx: click.Context, installation: Installation, as_json: bool) -> None:
    """Show the schema's version and what a migration would do; ends with 1 when one is due."""
    installation.require_database()
    with acting_for(installation.layout.home):
        found = migrations.state(installation.layout.database)
    facts = {
        "schema_version": found.version,
        "needed_version": migrations.SCHEMA_VERSION,
        "compatible_from": found.compatible_from,
        "tenant": found.tenant,
        "pending": list(found.pending),
    }
    print_facts(facts, as_json=as_json)
    ctx.exit(ExitCode.FINDINGS if found.pending else ExitCode.OK)
