"""The `appliance` command: global options, and the table of verbs."""

from __future__ import annotations

from pathlib import Path

import click

from appliance import __version__
from appliance.cli.callers import callers
from appliance.cli.central import central
from appliance.cli.config import config
from appliance.cli.conflict import conflict
from appliance.cli.custody import custody
from appliance.cli.database import db
from appliance.cli.dead import dead
from appliance.cli.delete import delete, undelete
from appliance.cli.exit_codes import epilogue
from appliance.cli.fsck import fsck
from appliance.cli.group import Verbs
from appliance.cli.importing import import_
from appliance.cli.init import init
from appliance.cli.installation import Installation
from appliance.cli.monitor import monitor
from appliance.cli.outbox import outbox
from appliance.cli.quarantine import quarantine
from appliance.cli.retention import retention, study
from appliance.cli.rooms import scp, web
from appliance.cli.run import run
from appliance.cli.sample import sample
from appliance.cli.status import status
from appliance.cli.sync import sync
from appliance.cli.token import token
from appliance.cli.transcode import transcode
from appliance.cli.user import user

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
VERBS: tuple[click.Command, ...] = (
    init,
    run,
    scp,
    web,
    sync,
    monitor,
    central,
    status,
    import_,
    transcode,
    outbox,
    dead,
    conflict,
    retention,
    study,
    custody,
    delete,
    undelete,
    quarantine,
    callers,
    user,
    token,
    fsck,
    db,
    config,
    sample,
)


@click.group(cls=Verbs, epilog=epilogue(), context_settings=CONTEXT)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration file [default: /etc/dicom-edge-appliance/appliance.toml].",
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Home directory of archive and index; stands above file and environment.",
)
@click.option("--tenant", default="", help="Whose data a command works on, in a receiver's home.  [default: its own]")
@click.version_option(__version__, prog_name="appliance", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, home: Path | None, tenant: str) -> None:
    """Receive, keep, show and forward DICOM objects."""
    ctx.obj = Installation.chosen(config, home, tenant)


for _verb in VERBS:
    cli.add_command(_verb)
