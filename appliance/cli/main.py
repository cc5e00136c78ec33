"""The `appliance` command: global options, and the table of verbs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import click

from appliance import __version__
from appliance.cli.exit_codes import epilogue
from appliance.cli.group import Verbs
from appliance.cli.installation import Installation
from appliance.cli.lazy_verbs import LazyVerbs

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
# name -> module:command
VERBS: Mapping[str, str] = MappingProxyType({
    "init": "appliance.cli.init:init",
    "run": "appliance.cli.run:run",
    "scp": "appliance.cli.rooms:scp",
    "web": "appliance.cli.rooms:web",
    "codec": "appliance.cli.codec:codec",
    "sync": "appliance.cli.sync:sync",
    "monitor": "appliance.cli.monitor:monitor",
    "central": "appliance.cli.central:central",
    "status": "appliance.cli.status:status",
    "doctor": "appliance.cli.doctor:doctor",
    "selftest": "appliance.cli.selftest:selftest",
    "import": "appliance.cli.importing:import_",
    "transcode": "appliance.cli.transcode:transcode",
    "outbox": "appliance.cli.outbox:outbox",
    "dead": "appliance.cli.dead:dead",
    "conflict": "appliance.cli.conflict:conflict",
    "retention": "appliance.cli.retention:retention",
    "study": "appliance.cli.retention:study",
    "custody": "appliance.cli.custody:custody",
    "delete": "appliance.cli.delete:delete",
    "undelete": "appliance.cli.delete:undelete",
    "quarantine": "appliance.cli.quarantine:quarantine",
    "callers": "appliance.cli.callers:callers",
    "user": "appliance.cli.user:user",
    "token": "appliance.cli.token:token",
    "backup": "appliance.cli.backup:backup",
    "restore": "appliance.cli.backup:restore",
    "support-bundle": "appliance.cli.support_bundle:support_bundle",
    "fsck": "appliance.cli.fsck:fsck",
    "db": "appliance.cli.database:db",
    "config": "appliance.cli.config:config",
    "sample": "appliance.cli.sample:sample",
})  # fmt: skip


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


cli.commands = LazyVerbs(VERBS)
