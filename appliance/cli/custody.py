"""`appliance custody`: where every instance is, from the door to the proof that the centre has it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import click

from appliance.archive.gaps import Finding, findings
from appliance.cli.custody_export import WRITERS
from appliance.cli.custody_facts import INSTANCE_COLUMNS, SERIES_COLUMNS, facts, instance_rows, ledger, series_rows
from appliance.cli.exit_codes import ExitCode
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import cell, print_json, print_rows
from appliance.model.attributes import Level


class Moment(click.ParamType[int]):
    """A date or an ISO 8601 time, UTC where it names no zone; microseconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return microseconds."""
        if isinstance(value, int):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no date and no ISO 8601 time", param, ctx)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000_000)


@click.group()
def custody() -> None:
    """Chains of custody: received, indexed, delivered, confirmed, deleted; UIDs and no patient data."""


@custody.command()
@click.argument("uid")
@click.option("--instances", is_flag=True, help="A line for every instance of a study or series.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object: every link, ledger and signed receipt.")
@pass_installation
@click.pass_context
def show(ctx: click.Context, installation: Installation, uid: str, instances: bool, as_json: bool) -> None:
    """Show the chain of a study, series or instance UID; ends with 1 while anything of it is not confirmed."""
    with installation.archive() as archive:
        found = archive.chains.of(uid)
        missing = findings(found)
        lines = ledger(archive, found.scope) if as_json else {}
    if as_json:
        print_json(facts(found, missing, lines))
    else:
        print_rows(series_rows(found), SERIES_COLUMNS, as_json=False, empty="")
        if instances or found.scope.level is Level.INSTANCE:
            click.echo()
            print_rows(instance_rows(found), INSTANCE_COLUMNS, as_json=False, empty="")
        click.echo()
        say(missing)
    ctx.exit(ExitCode.FINDINGS if missing else ExitCode.OK)


@custody.command()
@click.option("--since", type=Moment(), required=True, help="What has changed since this date or time (UTC).")
@click.option("--until", type=Moment(), default=None, help="And before this one.")
@click.option("--format", "form", type=click.Choice(sorted(WRITERS)), default="csv", show_default=True)
@pass_installation
def export(installation: Installation, since: int, until: int | None, form: str) -> None:
    """Write a line for every content that something has happened to, as CSV or as one JSON object a line."""
    with installation.archive() as archive:
        before = archive.clock.now() + 1 if until is None else until
        WRITERS[form](archive.chains.changed(since, before), archive.chains.sinks(), sys.stdout)


def say(missing: list[Finding]) -> None:
    """Say that all is confirmed, or what is missing first, and what more."""
    if not missing:
        click.echo("All confirmed.")
        return
    first, *more = missing
    click.echo(f"First missing: {first.gap.what} ({first.count}).")
    click.echo(f"  next: {cell(first.gap.remedy)}")
    for finding in more:
        click.echo(f"Also: {finding.gap.what} ({finding.count}).")
