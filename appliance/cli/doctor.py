"""`appliance doctor`: everything the box needs, looked at; each line is well, or says how it is mended."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

import click

from appliance.care.doctor.box import Box
from appliance.care.doctor.examining import examine, visits
from appliance.care.doctor.finding import Finding, State
from appliance.care.doctor.table import CHECKS, WITHOUT_SETTINGS
from appliance.cli.exit_codes import ExitCode
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import cell, counted, print_json
from appliance.config import Settings
from appliance.errors import ConfigurationError

NAMES = tuple(check.name for check in CHECKS)
MARKS = {State.OK: "ok", State.WARNING: "WARNING", State.FAULT: "FAULT", State.SKIPPED: "skipped"}
COLOURS = {State.OK: "green", State.WARNING: "yellow", State.FAULT: "red", State.SKIPPED: "bright_black"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of findings.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only this kind of check, or this one line; may be repeated."
)
@pass_installation
@click.pass_context
def doctor(ctx: click.Context, installation: Installation, as_json: bool, only: tuple[str, ...]) -> None:
    """Look at everything the box needs: each line is ok, or says how it is mended. Nothing is changed.

    Root sees most: run it as root. Ends with 1 when any line is a WARNING or a FAULT.
    """
    findings = _findings(installation, only, quiet=as_json)
    if only and not findings:
        raise click.UsageError(f"There is nothing named {', '.join(only)} here. Kinds: {', '.join(NAMES)}")
    if as_json:
        print_json([dataclasses.asdict(one) for one in findings])
    else:
        _summary(findings)
    ctx.exit(ExitCode.OK if all(one.is_well for one in findings) else ExitCode.FINDINGS)


def _findings(installation: Installation, only: Sequence[str], *, quiet: bool) -> list[Finding]:
    """Examine, and print each line as it comes; without a valid configuration, what needs none."""
    shown = (lambda _finding: None) if quiet else _print
    try:
        box = Box(installation.settings, installation.loaded.origins, installation.environ)
    except ConfigurationError as error:
        broken = Finding("configuration", State.FAULT, error.message, error.hint)
        shown(broken)
        checks = [check for check in CHECKS if check.name in WITHOUT_SETTINGS]
        box = Box(Settings(), {}, installation.environ)
        return [broken, *examine(visits(checks, box, only), box, shown)]
    chosen = visits(CHECKS, box, only)
    with Progress(len(chosen), quiet=quiet) as progress:
        return examine(chosen, box, lambda finding: progress.step(finding, shown))


def _print(finding: Finding) -> None:
    mark = click.style(f"{MARKS[finding.state]:<8}", fg=COLOURS[finding.state])
    first, *more = finding.what.splitlines() or [""]
    click.echo(f"{mark} {cell(finding.name)}: {cell(first)}")
    for line in more:
        click.echo(f"{'':<9}{cell(line)}")
    if finding.mend:
        click.echo(f"{'':<9}mend: {cell(finding.mend)}")


def _summary(findings: Sequence[Finding]) -> None:
    found = {state: sum(one.state is state for one in findings) for state in State}
    faults, warnings = (
        counted(found[State.FAULT], "fault", "faults"),
        counted(found[State.WARNING], "warning", "warnings"),
    )
    click.echo(f"\n{faults}, {warnings}, {found[State.OK]} ok, {found[State.SKIPPED]} skipped.")


class Progress:
    """How far the doctor is, on a line that rewrites itself; on a terminal only."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        """Take how many lines there will be."""
        self._total, self._done = total, 0
        self._shown = sys.stderr.isatty() and not quiet

    def step(self, finding: Finding, shown: object) -> None:
        """One more line is there."""
        self._done += 1
        self._wipe()
        if callable(shown):
            shown(finding)
        if self._shown and self._done < self._total:
            click.echo(f"\rlooking: {self._done} of {self._total}", nl=False, err=True)

    def __enter__(self) -> Progress:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        self._wipe()

    def _wipe(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
