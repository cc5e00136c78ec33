"""`appliance import`: take DICOM files from a disk, a CD or an older archive."""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from appliance.archive.room import Archive
from appliance.cli import journal
from appliance.cli.exit_codes import ExitCode
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.intake import Fate, Outcome, take_all
from appliance.cli.output import cell, print_json
from appliance.cli.tree import walk
from appliance.config.kinds import known_charset
from appliance.errors import DiskFull
from appliance.model.records import ConflictPolicy, Door, Origin

MAX_WORKERS = 4
MAX_LISTED = 1000
REPEAT = "free some space and repeat the same command: what was taken is passed by"
TROUBLE = (Fate.FAILED, Fate.QUARANTINED)


@dataclass
class Summary:
    """Counts by fate, and the first MAX_LISTED files that were not taken."""

    counts: Counter[Fate] = field(default_factory=Counter)
    troubles: list[dict[str, str]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        self.counts[outcome.fate] += 1
        if outcome.fate in TROUBLE and len(self.troubles) < MAX_LISTED:
            self.troubles.append({"path": str(outcome.path), "fate": outcome.fate.value, "reason": outcome.reason})

    @property
    def code(self) -> ExitCode:
        """FINDINGS when a file failed or went to quarantine."""
        return ExitCode.FINDINGS if any(self.counts[fate] for fate in TROUBLE) else ExitCode.OK


def charset_option(value: str) -> str:
    """The value, if the configuration would take it for `assumed_charset`, too; else a usage error."""
    try:
        return known_charset(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is {error}") from None


@click.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--again", is_flag=True, help="Look at files that an earlier run has imported, too.")
@click.option(
    "--charset",
    default="",
    callback=lambda ctx, param, value: charset_option(value),
    help="Character set of objects that declare none, such as gbk or ISO_IR 100.",
)
@click.option(
    "--conflict-policy",
    type=click.Choice([policy.value for policy in ConflictPolicy]),
    default=ConflictPolicy.ASK.value,
    show_default=True,
    help="Which content counts when an object is there already with other bytes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as a JSON object.")
@pass_installation
@click.pass_context
def import_(
    ctx: click.Context,
    installation: Installation,
    paths: tuple[Path, ...],
    again: bool,
    charset: str,
    conflict_policy: str,
    as_json: bool,
) -> None:
    """Import the DICOM files at and below PATH; an interrupted run is continued by repeating it.

    Symbolic links are not followed, files that are not DICOM are counted and left alone.
    Ends with 1 when a file could not be taken.
    """
    origin = Origin(
        door=Door.IMPORT,
        ae_title=platform.node() or "localhost",
        assumed_charset=charset,
        conflict_policy=ConflictPolicy(conflict_policy),
    )
    summary = Summary()
    place = installation.settings.home / journal.NAME
    with installation.archive(writes_much=True) as archive, journal.Journal(place) as known:
        try:
            take_in(archive, paths, origin, known, again, summary)
        except DiskFull as error:
            raise DiskFull(f"the import stopped before its end: {error}", hint=REPEAT) from error
        finally:  # after a full disk, too: what was taken is durable
            print_summary(summary, as_json=as_json)
    ctx.exit(summary.code)


def take_in(
    archive: Archive,
    paths: tuple[Path, ...],
    origin: Origin,
    known: journal.Journal,
    again: bool,
    summary: Summary,
) -> None:
    """Import everything below `paths`, add each outcome to `summary` and each durable file to the journal."""
    workers = min(MAX_WORKERS, os.cpu_count() or 1)
    outcomes = take_all(archive, walk(paths), origin, frozenset() if again else known, workers)
    with progress(outcomes, paths) as shown:
        for outcome in shown:
            summary.add(outcome)
            if outcome.mark and outcome.mark not in known:
                known.add(outcome.mark)


@contextmanager
def progress(outcomes: Iterator[Outcome], paths: tuple[Path, ...]) -> Iterator[Iterable[Outcome]]:
    """The outcomes under a progress bar on a terminal, else just the outcomes."""
    if not sys.stderr.isatty():
        yield outcomes
        return
    total = sum(1 for _ in walk(paths))
    with click.progressbar(outcomes, length=total, label="Importing", file=sys.stderr, show_pos=True) as bar:
        yield bar


def print_summary(summary: Summary, *, as_json: bool) -> None:
    """Counts of every fate, and the files that need a look."""
    counts = {fate.value: summary.counts[fate] for fate in Fate}
    if as_json:
        print_json({**counts, "troubles": summary.troubles})
        return
    for trouble in summary.troubles:
        click.echo(f"{trouble['fate']}: {cell(trouble['path'])}: {cell(trouble['reason'])}", err=True)
    click.echo(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count) or "no files")
