"""What every verb has at hand: the directory, the clock, and the authority once its passphrase is known."""

from __future__ import annotations

import datetime as dt
import grp
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pki.authority import Authority
from pki.errors import Locked, Refused
from pki.layout import Layout
from pki.lineage import Generation

DEFAULT_DIRECTORY = Path("/etc/dicom-edge-appliance/pki")
LONGEST_BYTES = 4096

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File whose first line is the passphrase of the authority's key; asked for when it is needed and not given.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@dataclass(frozen=True, slots=True)
class Desk:
    """The directory all verbs work in; `clock` returns the time in UTC."""

    layout: Layout
    clock: Callable[[], dt.datetime]

    def authority(self, passphrase_file: Path | None) -> Authority:
        """Return the authority; asks for the passphrase if its key has one. Raises Missing, Locked, Damaged."""
        self.layout.certificate()
        secret = passphrase(passphrase_file, "authority's key") if self.layout.key_is_encrypted() else None
        return self.layout.authority(secret)


def now() -> dt.datetime:
    """Return the time in UTC, to the second as certificates have it."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def passphrase(file: Path | None, what: str, *, confirm: bool = False) -> bytes:
    """Return the first line of `file`, or what is typed. Raises Locked without either, Refused for an empty one."""
    if file is not None:
        with file.open("rb") as opened:
            found = opened.read(LONGEST_BYTES).partition(b"\n")[0].rstrip(b"\r")
    elif sys.stdin.isatty():
        found = str(click.prompt(f"Passphrase of the {what}", hide_input=True, confirmation_prompt=confirm)).encode()
    else:
        raise Locked(f"the {what} needs a passphrase, and nobody can be asked", hint="say --passphrase-file")
    if not found:
        raise Refused("the passphrase is empty", hint="write it into the first line of the file")
    return found


def group_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --group to a verb that makes keys."""
    return click.option(
        "--group", callback=_group, help="Group that may read the private key, now and after renewals."
    )(command)


def say_live(one: Generation, layout: Layout) -> None:
    """Print where a generation's files are found from now on."""
    live = layout.live / one.name
    click.echo(f"{one.name}: generation {one.directory.name} is live")
    for file in sorted(path.name for path in one.directory.iterdir() if path.suffix == ".pem"):
        click.echo(f"  {live / file}")


def _group(ctx: click.Context, param: click.Parameter, name: str | None) -> int | None:
    if name is None:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise click.BadParameter(f"there is no group {name!r} on this machine") from None
