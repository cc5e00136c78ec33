"""docs/cli.md names every verb of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from appliance.cli.main import cli
from tests.architecture.source import ROOT

NAME = "appliance"


def commands(command: click.Command, path: str = NAME) -> Iterator[tuple[str, click.Command]]:
    """Every verb below `command`, by what is typed."""
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, f"{path} {name}")


def undocumented(command: click.Command, text: str) -> list[str]:
    """The verbs that no heading, code span or code block of the document names."""
    spans = re.findall(r"^#+ .*$|`[^`\n]+`|^    .*$", text, re.MULTILINE)
    blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    code = "\n".join([*spans, *blocks])
    verbs = [path for path, verb in commands(command) if not isinstance(verb, click.Group)]
    return [path for path in verbs if not re.search(rf"\b{re.escape(path)}\b", code)]


def test_every_verb_is_documented() -> None:
    assert not undocumented(cli, (ROOT / "docs" / "cli.md").read_text(encoding="utf-8"))


def test_a_missing_verb_is_noticed() -> None:
    group = click.Group(NAME, commands=[click.Command("sing"), click.Command("dance")])
    assert undocumented(group, "`appliance sing` but no appliance dance") == ["appliance dance"]
