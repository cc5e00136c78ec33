"""`appliance dead`: deliveries that a sink refused for a fault of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click

from appliance.archive.outbox_desk import RETRIED
from appliance.cli.deliveries import COLUMNS, dead_rows, event_facts, outbox_of
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.new_file import new_file
from appliance.cli.outbox import events_argument, sink_option, tell_left_out
from appliance.cli.output import counted, print_json, print_rows
from appliance.cli.owner import acting_as_caller
from appliance.errors import NotFound


@click.group()
def dead() -> None:
    """Dead letters: deliveries that no further attempt would mend by itself."""


@dead.command("list")
@sink_option
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@pass_installation
def list_(installation: Installation, sink: str, limit: int, as_json: bool) -> None:
    """List dead letters with the sink's reason."""
    with outbox_of(installation, sink) as archive:
        rows = list(islice(dead_rows(archive, sink), limit))
    print_rows(rows, COLUMNS, as_json=as_json, empty="There is no dead letter.")


@dead.command()
@click.argument("event_id", metavar="EVENT", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (it is JSON without this, too).")
@pass_installation
def show(installation: Installation, event_id: int, as_json: bool) -> None:
    """Show one dead letter with its record (patient data included)."""
    with installation.archive() as archive:
        facts = event_facts(archive, event_id)
    require_dead([event_id], [{**delivery, "event_id": event_id} for delivery in facts["deliveries"]])
    print_json(facts)


@dead.command()
@events_argument
@click.option("--all", "every", is_flag=True, help="Every dead letter.")
@sink_option
@pass_installation
def replay(installation: Installation, event_ids: tuple[int, ...], every: bool, sink: str) -> None:
    """Send dead letters again, with no attempts counted; mend the cause first."""
    if bool(event_ids) == every:
        raise click.UsageError("Name events, or say --all.")
    with outbox_of(installation, sink, event_ids) as archive:
        chosen = [row for row in dead_rows(archive, sink) if every or row["event_id"] in event_ids]
        require_dead(event_ids, chosen)
        count = sum(archive.outbox.retry([row["event_id"]], sink=row["sink"]) for row in chosen)
        left = archive.outbox.left_out(RETRIED, None if every else event_ids, sink=sink)
    click.echo(f"{counted(count, 'dead letter is', 'dead letters are')} due again.")
    tell_left_out(left)


def require_dead(event_ids: Iterable[int], rows: Iterable[Mapping[str, Any]]) -> None:
    """Raise NotFound for the first of `event_ids` that has no dead delivery among `rows`."""
    dead_ids = {row["event_id"] for row in rows if row["state"] == "dead"}
    for event_id in event_ids:
        if event_id not in dead_ids:
            raise NotFound(f"event {event_id} is no dead letter", hint=f"see: appliance outbox show {event_id}")


@dead.command()
@click.argument("path", type=click.Path(path_type=Path), callback=new_file)
@sink_option
@pass_installation
def export(installation: Installation, path: Path, sink: str) -> None:
    """Write every dead letter with its record to the new file PATH, one JSON object a line.

    The file holds patient data: only its owner may read it.
    """
    with outbox_of(installation, sink) as archive:
        rows = list(dead_rows(archive, sink))
        with acting_as_caller():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for event_id in dict.fromkeys(row["event_id"] for row in rows):
                file.write(json.dumps(event_facts(archive, event_id), ensure_ascii=False) + "\n")
    click.echo(f"Exported {counted(len(rows), 'dead letter', 'dead letters')} to {path}")
