"""`appliance retention`: what may leave the box, what keeps the rest here; `appliance study`: pins."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import click

from appliance.archive.room import Archive
from appliance.cli.conflict import operator
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import counted, print_facts, print_json, print_rows, size, timed

PINS = ("study_uid", "pinned_at", "pinned_by", "pin_reason")
KEPT = ("guard", "objects")


@click.group()
def retention() -> None:
    """Objects that others are proven to hold, and their way off this box."""


@retention.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
def status(installation: Installation, as_json: bool) -> None:
    """Show the limits, what could go now, what has gone, and which guard keeps how many objects here."""
    with installation.archive() as archive:
        facts = gather(archive)
    if as_json:
        print_json(facts)
        return
    kept = [{"guard": name, "objects": count} for name, count in facts.pop("kept").items()]
    limits = {name: "none" if value is None else value for name, value in facts.pop("limits").items()}
    shown = {name: size(value) if name.endswith("_bytes") else value for name, value in facts.items()}
    print_facts({**limits, **shown}, as_json=False)
    click.echo()
    print_rows(kept, KEPT, as_json=False, empty="No guard keeps anything here.")


def gather(archive: Archive) -> dict[str, Any]:
    """Everything about retention as plain values; sizes are bytes."""
    keeper, counts, disk = archive.retention, archive.numbers.counts(), archive.numbers.disk()
    outlook = keeper.outlook()
    planned = keeper.run(dry=True)
    return {
        "limits": dataclasses.asdict(keeper.policy),
        "held_objects": outlook.held_objects,
        "held_bytes": outlook.held_bytes,
        "free_bytes": disk.free_bytes,
        "evictable_objects": outlook.evictable_objects,
        "evictable_bytes": outlook.evictable_bytes,
        "wanted_bytes": planned.wanted_bytes,
        "short_bytes": planned.short_bytes,
        "evicted_objects": counts.evicted,
        "lost_objects": counts.not_held - counts.evicted,
        "pinned_studies": len(archive.uses.pins()),
        "kept": outlook.kept,
    }


@retention.command()
@click.option("--dry-run", "dry", is_flag=True, help="Only say what would go.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
def run(installation: Installation, dry: bool, as_json: bool) -> None:
    """Let objects go until the limits hold, as the sync room does by itself."""
    with installation.archive(writes_much=not dry) as archive:
        active = archive.retention.policy.active
        done = archive.retention.run(dry=dry)
    if as_json:
        print_json({**dataclasses.asdict(done), "short_bytes": done.short_bytes, "dry_run": dry})
        return
    if not active:
        click.echo("No limit is set, so nothing ever goes: see retention in docs/configuration.md.")
        return
    told(done.objects, done.bytes, dry=dry)
    for study_uid in done.studies:
        click.echo(study_uid)
    if done.short_bytes:
        click.echo(f"{size(done.short_bytes)} more should go and may not: see appliance retention status.")
    if done.refreshed:
        click.echo(f"{counted(done.refreshed, 'object is', 'objects are')} read back first.")


def told(objects: int, count: int, *, dry: bool) -> None:
    """Say how much went."""
    verb = "would be evicted" if dry else "evicted"
    click.echo(f"{counted(objects, 'object', 'objects')} {verb}, {size(count)}.")


@click.group()
def study() -> None:
    """Studies that must stay on this box."""


@study.command()
@click.argument("study_uid", metavar="STUDY")
@click.option("--reason", required=True, help="Why; kept with the pin.")
@pass_installation
def pin(installation: Installation, study_uid: str, reason: str) -> None:
    """Keep a study on this box whatever the limits say."""
    with installation.archive() as archive:
        archive.uses.pin(study_uid, by=operator(), reason=reason)
    click.echo(f"Study {study_uid} stays here.")


@study.command()
@click.argument("study_uid", metavar="STUDY")
@pass_installation
def unpin(installation: Installation, study_uid: str) -> None:
    """Let a pinned study go when the limits want it to."""
    with installation.archive() as archive:
        archive.uses.unpin(study_uid)
    click.echo(f"Study {study_uid} may go.")


@study.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@pass_installation
def pins(installation: Installation, as_json: bool) -> None:
    """List the pinned studies, with who pinned them and why."""
    with installation.archive() as archive:
        rows: list[Mapping[str, Any]] = [timed(row) for row in archive.uses.pins()]
    print_rows(rows, PINS, as_json=as_json, empty="No study is pinned.")
