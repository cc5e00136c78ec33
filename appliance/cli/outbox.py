"""`appliance outbox`: what still has to leave, per sink."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import click

from appliance.archive.outbox_desk import REPLAYED, RETRIED
from appliance.cli.deliveries import COLUMNS, event_facts, outbox_of
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import counted, print_facts, print_json, print_rows, timed

STATES = ("pending", "leased", "delivered", "dead", "buried")
STATISTICS = (
    "sink", "pending", "leased", "delivered", "dead", "buried", "oldest_seconds", "breaker", "reason", "held"
)  # fmt: skip

sink_option = click.option("--sink", default="", help="Only this sink [default: every sink].")
events_argument = click.argument("event_ids", metavar="EVENT...", nargs=-1, type=int)


@click.group()
def outbox() -> None:
    """Records and objects on their way to the sinks."""


@outbox.command("list")
@sink_option
@click.option("--state", type=click.Choice(STATES), default=None, help="Only this state.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Pass by so many first.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@pass_installation
def list_(installation: Installation, sink: str, state: str | None, limit: int, offset: int, as_json: bool) -> None:
    """List deliveries, oldest event first."""
    with outbox_of(installation, sink) as archive:
        found = archive.outbox.list(sink=sink, state=state or "", limit=limit, offset=offset)
    print_rows([timed(row) for row in found], COLUMNS, as_json=as_json, empty="There is no such delivery.")


@outbox.command()
@click.argument("event_id", metavar="EVENT", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
def show(installation: Installation, event_id: int, as_json: bool) -> None:
    """Show one event with its record (patient data included) and its deliveries."""
    with installation.archive() as archive:
        facts = event_facts(archive, event_id)
    if as_json:
        print_json(facts)
        return
    deliveries = facts.pop("deliveries")
    facts["payload"] = json.dumps(facts["payload"], ensure_ascii=False)
    print_facts(facts, as_json=False)
    click.echo()
    print_rows(deliveries, ("sink", "state", "attempts", "not_before", "reason"), as_json=False, empty="No delivery.")


@outbox.command()
@events_argument
@click.option("--all", "every", is_flag=True, help="Every waiting or dead delivery.")
@sink_option
@pass_installation
def retry(installation: Installation, event_ids: tuple[int, ...], every: bool, sink: str) -> None:
    """Try waiting and dead deliveries again now; dead ones start with no attempts counted."""
    if bool(event_ids) == every:
        raise click.UsageError("Name events, or say --all.")
    with outbox_of(installation, sink, event_ids) as archive:
        chosen = None if every else event_ids
        count = archive.outbox.retry(chosen, sink=sink)
        left = archive.outbox.left_out(RETRIED, chosen, sink=sink)
    click.echo(f"{deliveries(count)} due now.")
    tell_left_out(left)


@outbox.command()
@click.argument("event_ids", metavar="EVENT...", nargs=-1, type=int, required=True)
@click.option("--reason", required=True, help="Why; kept with the delivery.")
@sink_option
@pass_installation
def bury(installation: Installation, event_ids: tuple[int, ...], reason: str, sink: str) -> None:
    """Give deliveries up for good; they stay listed and never count as delivered."""
    with outbox_of(installation, sink, event_ids) as archive:
        count = archive.outbox.bury(event_ids, sink=sink, reason=reason)
    click.echo(f"{deliveries(count)} buried.")


@outbox.command()
@events_argument
@click.option("--study", "study_uid", default="", metavar="UID", help="Everything of this study.")
@click.option("--since", type=click.DateTime(), default=None, help="Everything made since this time (UTC).")
@click.option("--all", "every", is_flag=True, help="Everything that was ever delivered, dead or buried.")
@sink_option
@pass_installation
def replay(
    installation: Installation,
    event_ids: tuple[int, ...],
    study_uid: str,
    since: datetime | None,
    every: bool,
    sink: str,
) -> None:
    """Send delivered, dead or buried events once more; receivers collapse what they have already."""
    if not (event_ids or study_uid or since or every):
        raise click.UsageError("Name events, --study, --since or --all.")
    after = 0 if since is None else int(since.replace(tzinfo=UTC).timestamp() * 1_000_000)
    with outbox_of(installation, sink, event_ids, study_uid) as archive:
        chosen = event_ids or None
        count = archive.outbox.replay(chosen, sink=sink, study_uid=study_uid, since=after)
        left = archive.outbox.left_out(REPLAYED, chosen, sink=sink, study_uid=study_uid, since=after)
    click.echo(f"{deliveries(count)} sent once more.")
    tell_left_out(left)


@outbox.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object: sink to numbers.")
@pass_installation
def stats(installation: Installation, as_json: bool) -> None:
    """Show each sink's numbers: what waits, what is done, the oldest's age, the breaker, a pause."""
    with installation.archive() as archive:
        numbers = {name: dataclasses.asdict(found) for name, found in archive.outbox.stats().items()}
    if as_json:
        print_json(numbers)
    else:
        rows = [{"sink": name, **found} for name, found in numbers.items()]
        print_rows(rows, STATISTICS, as_json=False, empty="No sink is registered.")


def tell_left_out(reasons: Mapping[str, int]) -> None:
    """Say what was not sent again, and why; nothing when there is no such thing."""
    for reason, count in reasons.items():
        click.echo(f"{deliveries(count)} left out: {reason}.")


def deliveries(count: int) -> str:
    """A number of deliveries as the beginning of a sentence."""
    return counted(count, "delivery is", "deliveries are")
