"""A password on its way in: from the terminal or a file, never from the command line, where others can read it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

LONGEST_BYTES = 4096

password_file_option = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="File whose first line is the password; - is standard input.",
)


def read_password(file: Path | None) -> str:
    """Return the password of `file`, or what is typed twice. Raises UsageError without either."""
    if file is not None:
        with click.open_file(str(file), encoding="utf-8", errors="strict") as opened:
            return _first_line(opened.read(LONGEST_BYTES))
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask for the password; say --password-file.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _first_line(text: str) -> str:
    lines = text.splitlines()
    if not lines or not lines[0]:
        raise click.UsageError("The first line of the password file is empty.")
    return lines[0]
