"""`appliance fsck`: hold files and index against each other."""

from __future__ import annotations

import dataclasses
import sys

import click

from appliance.archive import fsck as checks
from appliance.cli.exit_codes import ExitCode
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import counted, print_json, print_rows

COLUMNS = ("kind", "subject", "detail", "repaired")
SHOWN_EVERY = 50


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be mended without losing anything.")
@click.option("--quick", is_flag=True, help="Look at sizes only; do not read every byte.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object with the list of findings.")
@pass_installation
@click.pass_context
def fsck(ctx: click.Context, installation: Installation, repair: bool, quick: bool, as_json: bool) -> None:
    """Check every file against its digest and every row against its file.

    Ends with 1 when something is left to mend. It can run beside the rooms.
    """
    progress = Progress()
    with installation.archive(writes_much=repair) as archive:
        report = checks.check(archive, repair=repair, deep=not quick, progress=progress.step)
    progress.end()
    findings = [dataclasses.asdict(finding) for finding in report.findings]
    if as_json:
        print_json({"files": report.files, "versions": report.versions, "clean": report.clean, "findings": findings})
    else:
        versions, files = counted(report.versions, "version", "versions"), counted(report.files, "file", "files")
        empty = f"Files and index agree: {versions}, {files}."
        print_rows(findings, COLUMNS, as_json=False, empty=empty)
    ctx.exit(ExitCode.OK if report.clean else ExitCode.FINDINGS)


class Progress:
    """A line that rewrites itself, on a terminal only."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._done = 0
        self._shown = sys.stderr.isatty()

    def step(self, count: int) -> None:
        """`count` more versions or files are checked."""
        self._done += count
        if self._shown and self._done % SHOWN_EVERY == 0:
            click.echo(f"\rchecked {self._done}", nl=False, err=True)

    def end(self) -> None:
        """Leave the line behind."""
        if self._shown:
            click.echo(f"\rchecked {self._done}", err=True)
