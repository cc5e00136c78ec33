"""`appliance config`: check the configuration, show each value and where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from appliance.cli.exit_codes import ExitCode, exit_code
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import cell, print_json, print_rows
from appliance.config.loading import lookalikes
from appliance.config.problems import MASK, Mistaken, Problem, is_secret
from appliance.errors import ConfigurationError
from appliance.tls_files import TlsFiles

SCP_FILES = ("tls_certificate", "tls_key", "tls_ca", "tls_crl")


@click.group()
def config() -> None:
    """The configuration in force."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object: sound, mistakes, warnings.")
@pass_installation
@click.pass_context
def check(ctx: click.Context, installation: Installation, as_json: bool) -> None:
    """Read the whole configuration and the files it names, and say whether it is sound; nothing is changed."""
    warnings = lookalikes(installation.environ)
    mistake = find_mistake(installation)
    if as_json:
        print_json({"sound": mistake is None, "mistakes": mistakes_of(mistake), "warnings": warnings})
        ctx.exit(ExitCode.OK if mistake is None else exit_code(mistake))
    for warning in warnings:
        click.echo(f"appliance: warning: {cell(warning)}", err=True)
    if mistake is not None:
        raise mistake
    click.echo("The configuration is sound.")


def find_mistake(installation: Installation) -> ConfigurationError | None:
    """What is wrong with the configuration, or with a file it names; None when it is sound."""
    try:
        loaded = installation.loaded
        problems = [
            problem_of_file(f"scp.{name}", path, loaded.origins)
            for name in SCP_FILES
            if (path := getattr(loaded.settings.scp, name)) is not None
        ]
        if any(problems):
            return Mistaken([problem for problem in problems if problem])
        scp = loaded.settings.scp
        if scp.tls_certificate is not None and scp.tls_key is not None:
            TlsFiles(scp.tls_certificate, scp.tls_key, scp.tls_ca, scp.tls_crl).context()
    except ConfigurationError as error:
        return error
    return None


def problem_of_file(key: str, path: Path, origins: Mapping[str, str]) -> Problem | None:
    """What keeps the file a setting names from being read; None when nothing does."""
    try:
        path.open("rb").close()
    except OSError as error:
        return Problem(key, repr(str(path)), origin(key, origins), f"the file cannot be read: {error.strerror}")
    return None


def mistakes_of(error: ConfigurationError | None) -> list[str]:
    """Each mistake as a sentence."""
    if error is None:
        return []
    return [str(problem) for problem in error.problems] if isinstance(error, Mistaken) else [error.message]


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
