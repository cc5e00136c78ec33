"""The manual pages: one per verb of `appliance`, one for `appliance-pki`, one for the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from appliance import __version__, places
from appliance.cli.exit_codes import MEANINGS
from appliance.cli.main import cli
from papers import markdown, roff
from pki.cli.exit_codes import MEANINGS as PKI_MEANINGS
from pki.cli.main import cli as pki

REFERENCE: Final = Path(__file__).parents[3] / "docs" / "configuration.md"
TOML: Final = "appliance.toml"
SOURCE: Final = f"dicom-edge-appliance {__version__}"
FILES: Final[Mapping[str, str]] = {
    str(places.CONFIGURATION): "The configuration, see appliance.toml(5); conf.d beside it is read after it.",
    str(places.ANSWERS): "What was answered when the package was installed.",
    str(places.CREDENTIALS): "Secrets, readable by root alone.",
    str(places.PKI): "Authority, certificates and keys, see appliance-pki(1).",
    str(places.HOME): "Images, index and accounts.",
    str(places.RUNTIME): "Sockets and the numbers of the running rooms.",
    str(places.BACKUPS): "The place for backups.",
}
PKI_FILES: Final[Mapping[str, str]] = {str(places.PKI): "Authority, certificates and keys."}


@dataclass(frozen=True, slots=True)
class Family:
    """One command: its tables of exit codes and files."""

    codes: Mapping[int, str]
    files: Mapping[str, str]


APPLIANCE: Final = Family({int(code): text for code, text in MEANINGS.items()}, FILES)
LOCKSMITH: Final = Family({int(code): text for code, text in PKI_MEANINGS.items()}, PKI_FILES)


def pages(when: datetime) -> dict[str, str]:
    """Every page by its file name."""
    top = _root(cli, "appliance")
    locks = _root(pki, "appliance-pki")
    verbs = {name: verb for name, verb in cli.commands.items() if not verb.hidden}
    made = {"appliance.1": _overview(top, when)}
    for name, verb in sorted(verbs.items()):
        context = click.Context(verb, info_name=name, parent=top)
        made[f"appliance-{name}.1"] = _page(context, APPLIANCE, when, f"appliance(1), {TOML}(5)")
    made["appliance-pki.1"] = _page(locks, LOCKSMITH, when, "appliance(1)")
    made[f"{TOML}.5"] = _configuration(REFERENCE.read_text(encoding="utf-8"), when)
    return made


def _root(command: click.Group, name: str) -> click.Context:
    return click.Context(command, info_name=name, help_option_names=command.context_settings["help_option_names"])


def _overview(context: click.Context, when: datetime) -> str:
    """The page of `appliance` itself: its verbs have pages of their own."""
    verbs = [name for name, verb in sorted(cli.commands.items()) if not verb.hidden]
    others = ", ".join([*(f"appliance-{name}(1)" for name in verbs), "appliance-pki(1)", f"{TOML}(5)"])
    parts = [
        *_head(context, when),
        *_options(context),
        roff.section("VERBS"),
        *(roff.entry(roff.bold(name), _short(cli.commands[name])) for name in verbs),
        *_tail(APPLIANCE, others),
    ]
    return "\n".join(parts) + "\n"


def _page(context: click.Context, family: Family, when: datetime, others: str) -> str:
    inner = [roff.section("VERBS"), *_inner(context)] if isinstance(context.command, click.Group) else []
    return "\n".join([*_head(context, when), *_options(context), *inner, *_tail(family, others)]) + "\n"


def _head(context: click.Context, when: datetime) -> Iterator[str]:
    name = _joined(context)
    yield roff.title(name, 1, when, SOURCE)
    yield roff.section("NAME")
    yield roff.name_line(name, _short(context.command))
    yield roff.section("SYNOPSIS")
    yield _usage(context)
    yield roff.section("DESCRIPTION")
    yield from roff.help_text(context.command.help or "")


def _inner(context: click.Context) -> Iterator[str]:
    """The verbs below a verb, each with its options."""
    group = context.command
    for name, verb in sorted(group.commands.items() if isinstance(group, click.Group) else ()):
        below = click.Context(verb, info_name=name, parent=context)
        if isinstance(verb, click.Group):
            yield from _inner(below)
        elif not verb.hidden:
            yield roff.subsection(below.command_path)
            yield _usage(below)
            yield from roff.help_text(verb.help or "")
            yield from _entries(below)


def _options(context: click.Context) -> Iterator[str]:
    entries = list(_entries(context))
    if entries:
        yield roff.section("OPTIONS")
        yield from entries


def _entries(context: click.Context) -> Iterator[str]:
    records = (option.get_help_record(context) for option in context.command.get_params(context))
    yield from (roff.entry(roff.bold(names), meaning) for names, meaning in filter(None, records) if meaning)


def _usage(context: click.Context) -> str:
    words = " ".join(context.command.collect_usage_pieces(context))
    return f".PP\n{roff.bold(context.command_path)} {roff.escape(words)}"


def _tail(family: Family, others: str) -> Iterator[str]:
    yield roff.section("EXIT STATUS")
    yield from (roff.entry(roff.bold(str(code)), meaning) for code, meaning in family.codes.items())
    yield roff.section("FILES")
    yield from (roff.entry(rf"\fI{roff.escape(path)}\fR", meaning) for path, meaning in family.files.items())
    yield from _see_also(others)


def _see_also(others: str) -> Iterator[str]:
    yield roff.section("SEE ALSO")
    yield roff.paragraph(others)
    yield roff.paragraph("The documents in `/usr/share/doc/dicom-edge-appliance`.")


def _configuration(reference: str, when: datetime) -> str:
    parts = [
        roff.title(TOML, 5, when, SOURCE),
        roff.section("NAME"),
        roff.name_line(TOML, "configuration of the DICOM edge appliance"),
        roff.section("SYNOPSIS"),
        roff.paragraph(f"`{places.CONFIGURATION}`, `{places.ETC}/conf.d/*.toml`"),
        roff.section("DESCRIPTION"),
        *markdown.body(reference),
        roff.section("FILES"),
        *(roff.entry(rf"\fI{roff.escape(path)}\fR", meaning) for path, meaning in FILES.items()),
        *_see_also("appliance(1), appliance-config(1)"),
    ]
    return "\n".join(parts) + "\n"


def _joined(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _short(command: click.Command) -> str:
    """The first sentence, or what stands before its first semicolon, without its full stop."""
    first = (command.help or "").strip().split("\n\n")[0]
    return " ".join(first.split()).split("; ")[0].split(". ")[0].rstrip(".")
