"""The root of the command line and the table of verbs."""

from __future__ import annotations

from pathlib import Path

import click

from pki.cli.authority import crl, init, machine_
from pki.cli.care import renew, revoke
from pki.cli.desk import DEFAULT_DIRECTORY, Desk, now
from pki.cli.exit_codes import epilogue
from pki.cli.export import export
from pki.cli.group import Verbs
from pki.cli.issue import issue, sign
from pki.cli.look import check, list_
from pki.layout import Layout

VERBS: tuple[click.Command, ...] = (init, issue, sign, renew, revoke, crl, check, list_, export, machine_)
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(cls=Verbs, epilog=epilogue(), context_settings=CONTEXT)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="APPLIANCE_PKI",
    default=DEFAULT_DIRECTORY,
    show_default=True,
    help="Where authority and certificates lie (or APPLIANCE_PKI).",
)
@click.pass_context
def cli(ctx: click.Context, directory: Path) -> None:
    """Make, renew, revoke and check the certificates of appliance, centre and modalities."""
    ctx.obj = Desk(Layout(directory), ctx.obj or now)


for _verb in VERBS:
    cli.add_command(_verb)
