"""The verbs about the authority itself: `init` and `crl`, and `machine`."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from pki import authority, constraints, disk, machine, names, revocation
from pki.authority import CRL_DAYS, DAYS
from pki.cli.desk import Desk, json_option, passphrase, passphrase_option
from pki.cli.output import print_json
from pki.errors import Missing, Refused

KEY_TYPES = ("p256", "p384", "rsa3072", "rsa4096")
LONGEST_DAYS = 7305


@click.command()
@click.argument("name")
@click.option("--key", "key_type", type=click.Choice(KEY_TYPES), default="p256", show_default=True, help="Kind of key.")
@click.option(
    "--days", type=click.IntRange(1, LONGEST_DAYS), default=DAYS, show_default=True, help="How long it lives."
)
@click.option("--domain", "domains", multiple=True, help="A domain whose names it may certify; repeatable.")
@click.option("--network", "networks", multiple=True, help="A network whose addresses it may certify; repeatable.")
@click.option("--any-name", is_flag=True, help="Confine it to nothing (for clients that know no name constraints).")
@click.option(
    "--encrypt", is_flag=True, help="Encrypt its key with a passphrase, from --passphrase-file or typed twice."
)
@passphrase_option
@click.pass_obj
def init(
    desk: Desk,
    name: str,
    key_type: str,
    days: int,
    domains: tuple[str, ...],
    networks: tuple[str, ...],
    any_name: bool,
    encrypt: bool,
    passphrase_file: Path | None,
) -> None:
    """Make the authority NAME (such as "Clinic 7") and an empty revocation list.

    It may certify names in .local, this host's own, those of --domain, and addresses of private networks and --network:
    browsers then trust it for nothing else.
    """
    if any_name and (domains or networks):
        raise click.UsageError("--any-name goes with neither --domain nor --network.")
    if passphrase_file and not encrypt:
        raise click.UsageError("--passphrase-file goes with --encrypt.")
    confined = None if any_name else constraints.constraints((*_own_names(), *domains), networks)
    secret = passphrase(passphrase_file, "authority's key", confirm=True) if encrypt else None
    made = authority.create(name, now=desk.clock(), key_type=key_type, days=days, confined=confined)
    _make_root(desk.layout.root)
    with desk.layout.changing():
        desk.layout.found(made, secret)
        revocation.publish(desk.layout, made, now=desk.clock())
    click.echo(f"made the authority {names.title(name)!r}, good until {made.certificate.not_valid_after_utc:%Y-%m-%d}")
    click.echo(f"  {desk.layout.ca_certificate}: give this to everybody who is to trust it")
    click.echo(f"  {desk.layout.ca_key}: back this up, apart from this machine, and give it to nobody")


@click.command()
@click.option("--days", type=click.IntRange(1, 365), default=CRL_DAYS, show_default=True, help="How long it is good.")
@passphrase_option
@click.pass_obj
def crl(desk: Desk, days: int, passphrase_file: Path | None) -> None:
    """Sign the revocation list anew, of all that was ever revoked."""
    signer = desk.authority(passphrase_file)
    with desk.layout.changing():
        found = revocation.publish(desk.layout, signer, now=desk.clock(), days=days)
    say_list(desk, found.next_update_utc, len(found))


def say_list(desk: Desk, ends: object, count: int) -> None:
    """Print what the list in force holds."""
    click.echo(f"{desk.layout.crl}: {count} revoked, good until {ends:%Y-%m-%d}; give it to every door that checks it")


@click.command("machine")
@json_option
def machine_(as_json: bool) -> None:
    """Print this machine's hash, for `issue box SITE --machine HASH` where the authority is."""
    found = machine.machine_hash()
    print_json({"machine": found}) if as_json else click.echo(found)


def _own_names() -> list[str]:
    """This host's name as far as it can be certified; a strange one is left out."""
    try:
        return [names.host_name(socket.gethostname())]
    except Refused:
        return []


def _make_root(root: Path) -> None:
    if not root.absolute().parent.is_dir():
        raise Missing(f"there is no directory {root.absolute().parent}", hint="make it first")
    disk.make_directory(root)
