"""What the documents tell a technician to type, to open and to restart is really there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from appliance.cli.main import cli
from pki.cli.main import cli as pki
from tests.architecture.source import ROOT

DOCS = ROOT / "docs"
DOCUMENTS = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "SECURITY.md"])
FOR_TECHNICIANS = [DOCS / name for name in ("install.md", "upgrade.md", "operations.md")]
COMMANDS = {"appliance": cli, "appliance-pki": pki}
# A code span, a line of an indented block, a line of a fenced one.
CODE = re.compile(r"`([^`\n]+)`|^    (?!\|)(.+)$", re.MULTILINE)
TYPED = re.compile(r"(?:sudo )?(appliance(?:-pki)?) ([a-z-].*)")


def anchors(path: Path) -> set[str]:
    """The places of a document that a link can name."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def typed(text: str) -> Iterator[tuple[str, list[str]]]:
    """Every command line of ours in a document, without comments."""
    for span, line in CODE.findall(text):
        for part in re.split(r"\s\|\s|&&|;\s", (span or line).partition(" #")[0]):
            if found := TYPED.fullmatch(part.strip()):
                yield found[1], shlex.split(found[2])


def mistakes(name: str, words: list[str]) -> list[str]:
    """Verbs and options of one command line that do not exist."""
    command: click.Command = COMMANDS[name]
    context = click.Context(command, info_name=name)
    wrong = []
    for word in words:
        if word.startswith("--"):
            known = {option for parameter in command.get_params(context) for option in parameter.opts}
            wrong += [word] if word.partition("=")[0] not in known else []
        elif isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
    return wrong if command is not COMMANDS[name] else [words[0]]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", text):
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


@pytest.mark.parametrize("document", FOR_TECHNICIANS, ids=lambda path: path.stem)
def test_every_command_of_ours_that_is_to_be_typed_exists(document: Path) -> None:
    found = list(typed(document.read_text(encoding="utf-8")))
    assert len(found) > 5
    wrong = [(name, *words) for name, words in found if mistakes(name, words)]
    assert not wrong


@pytest.mark.parametrize("document", FOR_TECHNICIANS, ids=lambda path: path.stem)
def test_every_unit_that_is_named_exists(document: Path) -> None:
    units = {path.stem for path in (ROOT / "systemd").iterdir()}
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:systemctl|journalctl)[^`\n]*?\b(dicom-edge-[a-z-]+[a-z])", text))
    packages = {"dicom-edge-appliance", "dicom-edge-central"}
    assert named - packages <= units


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert list(typed("run `sudo appliance sing --loud`, then\n\n    appliance status | less\n")) == [
        ("appliance", ["sing", "--loud"]),
        ("appliance", ["status"]),
    ]
    assert mistakes("appliance", ["sing"]) == ["sing"]
    assert mistakes("appliance", ["status", "--loud"]) == ["--loud"]
    assert not mistakes("appliance", ["outbox", "list", "--state", "pending"])
