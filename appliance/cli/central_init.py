"""`appliance central init`: topics, the tables of PostgreSQL, the SQL for Doris."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from appliance.central.init import DORIS, POSTGRES, doris_sql, prepare_postgres, write_doris
from appliance.central.postgres_link import PostgresSettings
from appliance.central.steps import Step, is_due, warns
from appliance.central.topics import PART as KAFKA
from appliance.central.topics import TopicRules, prepare_topics
from appliance.cli.exit_codes import ExitCode
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import print_json, print_rows
from appliance.config.central import CentralSection
from appliance.kafka_connection.settings import Cluster
from appliance.kafka_connection.topics import TOPIC_NAMES

COLUMNS = ("part", "name", "action", "detail", "warning")
PARTS = (KAFKA, POSTGRES, DORIS)


@click.command("init")
@click.option("--only", "parts", type=click.Choice(PARTS), multiple=True, help="Set up this part, and not the others.")
@click.option(
    "--grant", "roles", multiple=True, metavar="ROLE", help="Give a role of PostgreSQL what the loader needs."
)
@click.option(
    "--doris-sql", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write the SQL for Doris there."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing; exit code 1 if anything would.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
@click.pass_context
def init(
    ctx: click.Context, installation: Installation, parts: tuple[str, ...], roles: tuple[str, ...],
    folder: Path | None, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Create or extend Kafka's topics and PostgreSQL's tables; safe to repeat, nothing is ever removed.

    Doris cannot be set up from here: --doris-sql writes the files for its MySQL client.
    """
    central, environ = installation.settings.central, installation.environ
    work: dict[str, Callable[[], list[Step]]] = {
        KAFKA: lambda: prepare_topics(
            Cluster(**central.kafka.values(environ)), _rules(central).wanted(_topics(central)), dry_run=dry_run
        ),
        POSTGRES: lambda: prepare_postgres(
            PostgresSettings(**central.postgres.values(environ)), roles, dry_run=dry_run
        ),
        DORIS: lambda: _doris(central, folder, dry_run=dry_run),
    }
    steps = [step for part in (parts or PARTS) for step in work[part]()]
    rows = [step.document() for step in steps]
    if as_json:
        print_json({"dry_run": dry_run, "steps": rows})
    else:
        print_rows(rows, COLUMNS, as_json=False, empty="There is nothing to do: name a directory with --doris-sql")
    if warns(steps) or (dry_run and is_due(steps)):
        ctx.exit(ExitCode.FINDINGS)


def _topics(central: CentralSection) -> list[str]:
    return [central.kafka.topics.get(kind, name) for kind, name in TOPIC_NAMES.items()]  # type: ignore[call-overload]


def _rules(central: CentralSection) -> TopicRules:
    topics = central.topics
    return TopicRules(topics.partitions, topics.replication, topics.retention_hours, topics.dead_letter_hours)


def _doris(central: CentralSection, folder: Path | None, *, dry_run: bool) -> list[Step]:
    if folder is None:
        return []
    names: dict[str, str] = {kind: str(name) for kind, name in central.kafka.topics.items()}
    return write_doris(doris_sql(central.doris, central.kafka.bootstrap_servers, names), folder, dry_run=dry_run)
