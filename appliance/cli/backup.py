"""`appliance backup` and `appliance restore`: copies on another disk, and the way back."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from appliance.care.backup import configuration, copying, restoring, shelf, taking, verifying
from appliance.care.backup.gathering import Step
from appliance.care.backup.restoring import Restored
from appliance.care.backup.taking import Order, Taken
from appliance.cli.exit_codes import ExitCode
from appliance.cli.group import report
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import cell, counted, moment, print_facts, print_json, print_rows, size
from appliance.cli.owner import acting_as_caller, acting_for
from appliance.errors import ConfigurationError

COLUMNS = ("snapshot", "objects", "size", "schema", "faults", "secrets")
WRONG = ("path", "fault")
SHOWN_EVERY = 50
WITHOUT_NAME = "now"
Directory = click.Path(file_okay=False, path_type=Path)


class Backups(click.Group):
    """A group whose first argument may be a directory: then it is a backup that is meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the verb in where there is none."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [WITHOUT_NAME, *args]
        return super().parse_args(ctx, args)


@click.group(cls=Backups)
def backup() -> None:
    """Copies of this box on another disk: `appliance backup DIR` takes one while the rooms run."""


@backup.command(WITHOUT_NAME)
@click.argument("directory", type=Directory, required=False)
@click.option("--scheduled", is_flag=True, help="As the timer does: nothing while backup.directory is unset.")
@click.option("--keep", type=click.IntRange(1), help="Keep so many of the newest snapshots; older ones go afterwards.")
@click.option("--keep-days", type=click.FloatRange(0, min_open=True), help="Keep snapshots for so many days.")
@click.option("--with-secrets", is_flag=True, help="Copy private keys and credentials, too.")
@click.option("--full", is_flag=True, help="Copy every file anew; link none with the snapshot before.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
@click.pass_context
def now(
    ctx: click.Context, installation: Installation, directory: Path | None, scheduled: bool, keep: int | None,
    keep_days: float | None, with_secrets: bool, full: bool, as_json: bool,
) -> None:  # fmt: skip
    """Take a snapshot below DIRECTORY [default: backup.directory]; files that have not changed are hard links.

    Ends with 1 when a file is lost or damaged here; everything else is in the snapshot then.
    """
    section = installation.settings.backup
    place = directory or section.directory
    if place is None:
        if scheduled:
            click.echo("No backup: backup.directory is not set.")
            return
        raise click.UsageError("name a DIRECTORY, or set backup.directory")
    if directory is None:
        keep, keep_days = keep or section.keep, keep_days or section.keep_days
    installation.require_database()
    home = installation.settings.home
    if scheduled and not place.is_dir():
        raise ConfigurationError(f"there is no directory {place}", hint="is it mounted? else make it, for the service")
    warning = shelf.check_place(place, home)
    if warning:
        report(f"warning: {warning}", "name a directory on another disk (docs/backup.md)")
    progress = Bar("copied")
    secrets = with_secrets or section.with_secrets
    order = _order(installation, place, with_secrets=secrets, full=full, progress=progress.begin)
    with acting_for(home) if _is_theirs(place, home) else nullcontext():
        taken = taking.take(order, keep=keep, keep_days=keep_days)
    progress.end()
    print_taken(taken, as_json=as_json)
    ctx.exit(ExitCode.FINDINGS if taken.marker.faults else ExitCode.OK)


def _order(installation: Installation, place: Path, **how: Any) -> Order:
    files = tuple(configuration.files(installation.config))
    secrets = configuration.secret_paths(installation.settings)
    return Order(installation.layout, place.absolute(), files, secrets, opened=_opened, **how)


def _is_theirs(place: Path, home: Path) -> bool:
    """Whether the place is the service's own: its timer has to read, and to remove, what root leaves there."""
    return place.is_dir() and place.stat().st_uid == home.stat().st_uid


def _opened(path: Path) -> int:
    """Open a file of the configuration as who called: keys are root's."""
    with acting_as_caller():
        return copying.opened(path)


def print_taken(taken: Taken, *, as_json: bool) -> None:
    """What is in the new snapshot, and what should be and is not."""
    facts = taken.marker
    wrong = [{"path": path, "fault": fault} for path, fault in facts.faults]
    shown = {
        "snapshot": str(taken.path),
        "began_at": moment(facts.began_at),
        "seconds": round((facts.ended_at - facts.began_at) / 1e6, 1),
        "objects": facts.objects,
        "files": facts.files,
        "linked": facts.linked,
        "bytes": facts.bytes,
        "evicted_meanwhile": facts.evicted,
        "secrets_left_out": taken.kept_back,
        "pruned": list(taken.pruned),
    }
    if as_json:
        print_json({**shown, "faults": wrong})
        return
    print_facts({**shown, "bytes": size(facts.bytes), "pruned": ", ".join(taken.pruned)}, as_json=False)
    if wrong:
        print_rows(wrong, WRONG, as_json=False, empty="")
        report(f"{counted(len(wrong), 'file is', 'files are')} not as stored", "run: appliance fsck")


@backup.command()
@click.argument("directory", type=Directory)
@click.argument("snapshot", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object with what is wrong.")
@click.pass_context
def verify(ctx: click.Context, directory: Path, snapshot: str | None, as_json: bool) -> None:
    """Read SNAPSHOT [default: the newest] to its last byte and compare; ends with 1 when something is wrong."""
    with shelf.locked(directory, alone=False):
        found = shelf.chosen(directory, snapshot)
        progress = Bar("read")
        verdict = verifying.verify(found, progress.begin)
        progress.end()
    wrong = [{"path": path, "fault": fault} for path, fault in verdict.wrong]
    if as_json:
        print_json({"snapshot": found.name, "files": verdict.files, "bytes": verdict.bytes, "wrong": wrong})
    else:
        files = counted(verdict.files, "file", "files")
        print_rows(wrong, WRONG, as_json=False, empty=f"{found.name} is as written: {files}, {size(verdict.bytes)}.")
    if found.marker.faults and not as_json:
        lost = counted(len(found.marker.faults), "file was", "files were")
        report(f"{lost} lost or damaged on the box when it was taken", f"see: {found.path / 'snapshot.json'}")
    if wrong and not as_json:
        report(f"snapshot {found.name} is damaged", f"check that disk, then: appliance backup --full {directory}")
    ctx.exit(ExitCode.FINDINGS if wrong else ExitCode.OK)


@backup.command("list")
@click.argument("directory", type=Directory)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_(directory: Path, as_json: bool) -> None:
    """Show the snapshots in DIRECTORY, the oldest first; what was interrupted is none."""
    rows = []
    for one in shelf.snapshots(directory):
        facts = dataclasses.asdict(one.marker)
        times = {name: moment(facts[name]) for name in ("began_at", "ended_at")}
        rows.append({"snapshot": one.name, **facts, **times, "faults": len(one.marker.faults)})
    shown = rows if as_json else [{**row, "size": size(row["bytes"])} for row in rows]
    print_rows(shown, COLUMNS, as_json=as_json, empty=f"There is no complete snapshot in {directory}.")


@click.command()
@click.argument("directory", type=Directory)
@click.option("--snapshot", help="Which one.  [default: the newest]")
@click.option("--into", type=Directory, help="Home directory to fill.  [default: the configured one]")
@click.option("--force", is_flag=True, help="Set a home that is not empty aside, under another name beside it.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
@click.pass_context
def restore(
    ctx: click.Context, installation: Installation, directory: Path, snapshot: str | None, into: Path | None,
    force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Put a snapshot from DIRECTORY into an empty home; the rooms are stopped. Repeat it after an interruption.

    Ends with 1 when an object's copy is damaged; everything else is restored then.
    """
    home = (into or installation.settings.home).absolute()
    with shelf.locked(directory, alone=False):
        found = shelf.chosen(directory, snapshot)
        progress = Bar("copied and read")
        result = restoring.restore(found, home, force=force, progress=progress.begin)
        progress.end()
    steps = next_steps(installation, found, result)
    facts = {**dataclasses.asdict(result), "wrong": [{"path": path, "fault": fault} for path, fault in result.wrong]}
    if as_json:
        print_json({**facts, "next": steps})
    else:
        print_restored(result, steps)
    ctx.exit(ExitCode.FINDINGS if result.wrong else ExitCode.OK)


def print_restored(result: Restored, steps: list[str]) -> None:
    """What is back, what is not, and what to do now."""
    click.echo(f"Restored {result.snapshot} into {result.home}: {result.files} files, {size(result.bytes)}.")
    if result.set_aside is not None:
        click.echo(f"What was there lies in {result.set_aside} now.")
    if result.wrong:
        print_rows([{"path": path, "fault": fault} for path, fault in result.wrong], WRONG, as_json=False, empty="")
    click.echo("Next:")
    for step in steps:
        click.echo(f"  {cell(step)}")


def next_steps(installation: Installation, found: shelf.Snapshot, result: Restored) -> list[str]:
    """What the administrator does after a restoration, in order."""
    facts, site = found.marker, installation.settings.site
    steps = []
    if result.foreign_owner:
        steps.append(f"make the service's account the owner: there is no user {result.foreign_owner} here")
    if (facts.tenant, facts.site) != (site.tenant, site.id):
        steps.append(f"set site.tenant = {facts.tenant} and site.id = {facts.site}: the configuration says otherwise")
    if (found.path / "configuration").is_dir():
        steps.append(f"compare {found.path / 'configuration'} with /etc/dicom-edge-appliance, put back what is missing")
    if not facts.secrets:
        steps.append("put private keys and credentials back, or make new ones: they are not in the snapshot")
    if result.wrong or facts.faults:
        steps.append("appliance fsck --repair   (marks what is missing, so that it can be sent again)")
    steps.append(f"appliance --home {result.home} fsck --quick")
    steps.append("systemctl start appliance.target   (deliveries that were made after the backup are made again)")
    return steps


class Bar:
    """A line that rewrites itself, on a terminal only."""

    def __init__(self, word: str) -> None:
        """Say what is done with each of the files."""
        self._word, self._total, self._done = word, 0, 0
        self._shown = sys.stderr.isatty()

    def begin(self, total: int) -> Step:
        """Start at nothing of `total` files."""
        self._total, self._done = total, 0
        return self._step

    def end(self) -> None:
        """Leave the line behind."""
        if self._shown and self._total:
            click.echo(self._line(), err=True)

    def _step(self, count: int) -> None:
        self._done += count
        if self._shown and self._done % SHOWN_EVERY == 0:
            click.echo(self._line(), nl=False, err=True)

    def _line(self) -> str:
        part = min(1.0, self._done / max(1, self._total))
        return f"\r[{'#' * round(part * 30):<30}] {part:4.0%} {self._word} {self._done}"
