"""Completion for bash: click's own script, which asks the command only when Tab is pressed."""

from __future__ import annotations

from collections.abc import Mapping

import click
from click.shell_completion import BashComplete

COMMANDS = ("appliance", "appliance-pki")


def scripts() -> Mapping[str, str]:
    """A script per command, under the name it has in /usr/share/bash-completion/completions."""
    return {name: script(name) for name in COMMANDS}


def script(name: str) -> str:
    """The script of one command. Made from click's template, because `source()` would ask the bash of this machine."""
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()
    made = BashComplete(click.Command(name), {}, name, variable)
    return made.source_template % made.source_vars()
