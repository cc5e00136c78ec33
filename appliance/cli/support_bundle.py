"""`appliance support-bundle`: one file for those who help, without patients and secrets."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from appliance import places
from appliance.archive.settings import ArchiveSettings
from appliance.care.bundle.collecting import Request, asked
from appliance.care.bundle.metrics import metrics_text
from appliance.care.bundle.writing import Bundle, write
from appliance.certificates import days_left
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.new_file import new_file
from appliance.cli.output import counted, print_json, print_rows, size
from appliance.clock import SystemClock
from appliance.config import certificate_files
from appliance.errors import ConfigurationError

COLUMNS = ("member", "size", "left_out")


@click.command("support-bundle")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), callback=new_file)
@click.option("--with-uids", is_flag=True, help="Keep UIDs; they lead back to patients for those who have the images.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object: members, what was left out, what failed.")
@pass_installation
def support_bundle(installation: Installation, file: Path, with_uids: bool, as_json: bool) -> None:
    """Write how this box is to FILE (.tar.gz) for support: no patient data, secrets masked, UIDs renamed."""
    clock = SystemClock()

    def certificates() -> Mapping[str, float | None]:
        return days_left(certificate_files(installation.settings, installation.environ), clock.now())

    command = [sys.executable, "-m", "appliance", *installation.command("")][:-1]

    def metrics() -> bytes:
        return metrics_text(installation.settings)

    request = Request(layout_of(installation), command, certificates, metrics, asked, with_uids)
    bundle = write(file, request, clock)
    if as_json:
        print_json({**dataclasses.asdict(bundle), "path": str(bundle.path)})
    else:
        print_bundle(bundle)


def layout_of(installation: Installation) -> ArchiveSettings:
    """The archive's settings, or the defaults for a configuration that is not sound: that is what help is asked for."""
    try:
        return installation.layout
    except ConfigurationError:
        return ArchiveSettings(home=installation.home or places.HOME)


def print_bundle(bundle: Bundle) -> None:
    """What is in it, and what is not."""
    rows = [
        {"member": name, "size": size(count), "left_out": bundle.omitted.get(name)}
        for name, count in sorted(bundle.members.items())
    ]
    print_rows(rows, COLUMNS, as_json=False, empty="")
    for name, fault in bundle.failed.items():
        click.echo(f"{name} failed: {fault}")
    left = sum(bundle.omitted.values())
    click.echo(f"{bundle.path}: {counted(len(rows), 'member', 'members')}, {counted(left, 'text', 'texts')} left out.")
    click.echo("Look before you send it.")
