"""`appliance config`: check the configuration, show each value and where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import print_json, print_rows
from appliance.config.problems import MASK, is_secret


@click.group()
def config() -> None:
    """The configuration in force."""


@config.command()
@pass_installation
def check(installation: Installation) -> None:
    """Read the whole configuration and say whether it is sound; nothing is changed."""
    installation.loaded  # noqa: B018 - reading it is the check
    click.echo("The configuration is sound.")


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object: path to value and origin.")
@pass_installation
def show(installation: Installation, as_json: bool) -> None:
    """Show every value with its origin (default, file, environment); secrets are masked."""
    loaded = installation.loaded
    values = flat(loaded.settings.model_dump(mode="json"))
    rows = [{"key": key, "value": shown(key, value), "origin": origin(key, loaded.origins)} for key, value in values]
    if as_json:
        print_json({row["key"]: {"value": row["value"], "origin": row["origin"]} for row in rows})
    else:
        print_rows(rows, ("key", "value", "origin"), as_json=False, empty="")


def shown(key: str, value: object) -> object:
    """The value, or a mask in place of a secret that is set."""
    return MASK if value is not None and is_secret(key.rpartition(".")[2]) else value


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested tables by dotted path; lists of tables are numbered, an empty table is a leaf."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for at, inner in enumerate(value):
            yield from flat(inner, f"{path}.{at}")
    else:
        yield path, value


def origin(key: str, origins: Mapping[str, str]) -> str:
    """Where `key` came from: its own entry, or that of the table or list it stands in."""
    while key:
        if key in origins:
            return origins[key]
        key = key.rpartition(".")[0]
    return "default"
