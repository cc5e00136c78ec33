"""The verbs that give something out: `issue server|box|modality|signing` and `sign`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pki import issuing, keys, machine, profiles, request
from pki.cli.desk import Desk, group_option, passphrase_option, say_live
from pki.errors import Refused
from pki.lineage import REQUEST, Record
from pki.profiles import PROFILES, Order

_key_option = click.option("--key", "key_type", type=click.Choice(keys.TYPES), help="Kind of key.")
_replace_option = click.option("--replace", is_flag=True, help="Put it in place of the lineage that is there.")
_dns_option = click.option("--dns", multiple=True, help="One more host name; repeatable.")
_ip_option = click.option("--ip", "addresses", multiple=True, help="An address of the server; repeatable.")
_machine_option = click.option("--machine", "digest", help="Hash of the box's machine [default: this machine].")
_address_option = click.option("--address", "calls_from", multiple=True, help="An address it calls from; repeatable.")
_both_option = click.option(
    "--both", is_flag=True, help="For server and client use: a DICOM node that also calls others."
)


def _days_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--days", type=click.IntRange(1), help="How long it lives.")(command)


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (passphrase_option, group_option, _replace_option, _key_option, _days_option):
        command = option(command)
    return command


@click.group()
def issue() -> None:
    """Make a key and a certificate (or a signing key), and make them live."""


@issue.command()
@click.argument("name")
@_dns_option
@_ip_option
@_both_option
@click.option("--label", default="", help="Tells it apart from another of the same host: NAME+LABEL.")
@_common
@click.pass_obj
def server(
    desk: Desk,
    /,
    name: str,
    dns: tuple[str, ...],
    addresses: tuple[str, ...],
    both: bool,
    label: str,
    days: int | None,
    key_type: str | None,
    **rest: Any,
) -> None:
    """A server's, for HTTPS or DICOM TLS: host NAME, its .local name, and more names and addresses."""
    order = profiles.server(name, dns=dns, addresses=addresses, both=both, days=days, key_type=key_type, label=label)
    _issue(desk, order, **rest)


@issue.command()
@click.argument("site")
@_machine_option
@_common
@click.pass_obj
def box(desk: Desk, /, site: str, digest: str | None, days: int | None, key_type: str | None, **rest: Any) -> None:
    """A box's, to show to the centre: it names the SITE and one machine, and serves on no other."""
    _issue(desk, profiles.box(site, digest or machine.machine_hash(), days=days, key_type=key_type), **rest)


@issue.command()
@click.argument("ae_title")
@_address_option
@_both_option
@_common
@click.pass_obj
def modality(
    desk: Desk,
    /,
    ae_title: str,
    calls_from: tuple[str, ...],
    both: bool,
    days: int | None,
    key_type: str | None,
    **rest: Any,
) -> None:
    """A modality's, to show to the DICOM listener: its AE_TITLE and the addresses it calls from."""
    order = profiles.modality(ae_title, addresses=calls_from, both=both, days=days, key_type=key_type)
    _issue(desk, order, **rest)


@issue.command()
@click.argument("site")
@group_option
@_replace_option
@click.pass_obj
def signing(desk: Desk, site: str, group: int | None, replace: bool) -> None:
    """An Ed25519 key pair by which the SITE signs its records; the centre gets public.pem."""
    order = issuing.signing_order(site)
    with desk.layout.changing():
        issuing.vacant(desk.layout, order.lineage, replace=replace)
        made = issuing.signing_key(desk.layout, site, group=group)
    say_live(made, desk.layout)
    click.echo("  next: carry public.pem to the centre and add it to the site there")


@click.command()
@click.argument("profile", type=click.Choice(tuple(PROFILES)))
@click.argument("name")
@click.option(
    "--csr", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The request's file."
)
@_dns_option
@_ip_option
@_machine_option
@_address_option
@_both_option
@_days_option
@_replace_option
@passphrase_option
@click.pass_obj
def sign(
    desk: Desk, /, profile: str, name: str, csr: Path, replace: bool, passphrase_file: Path | None, **told: Any
) -> None:
    """Sign a request for a key that was made elsewhere.

    PROFILE and NAME are what you say, never what the request says. Host names and addresses are the request's
    where you name none; all are checked and printed. Nothing else is taken over from a request.
    """
    with csr.open("rb") as file:
        found = request.read(file.read(request.LONGEST_BYTES + 1))
    order = _ordered(profile, name, found, **told)
    authority = desk.authority(passphrase_file)
    with desk.layout.changing():
        issuing.vacant(desk.layout, order.lineage, replace=replace)
        made = issuing.sign(desk.layout, authority, Record(order, REQUEST), found, now=desk.clock())
    click.echo(f"signed for: {', '.join(order.said())}")
    say_live(made, desk.layout)


def _ordered(
    profile: str,
    name: str,
    found: request.Request,
    *,
    dns: tuple[str, ...],
    addresses: tuple[str, ...],
    digest: str | None,
    calls_from: tuple[str, ...],
    both: bool,
    days: int | None,
) -> Order:
    """The order of a request. Raises UsageError for options of another profile, Refused for bad names."""
    given = {"--dns/--ip": bool(dns or addresses), "--machine": bool(digest), "--address": bool(calls_from)}
    fitting = {"server": "--dns/--ip", "box": "--machine", "modality": "--address"}[profile]
    strange = [option for option, is_given in given.items() if is_given and option != fitting]
    if strange or (both and profile == "box"):
        raise click.UsageError(f"{', '.join(strange) or '--both'} does not go with the profile {profile}.")
    if profile == "server":
        named = bool(dns or addresses)
        dns, addresses = (dns, addresses) if named else (found.dns, found.addresses)
        return profiles.server(name, dns=dns, addresses=addresses, both=both, days=days)
    if profile == "modality":
        return profiles.modality(name, addresses=calls_from or found.addresses, both=both, days=days)
    if digest is None:
        raise Refused(
            "the box's machine is not given", hint="on the box: appliance-pki machine; then --machine HASH here"
        )
    return profiles.box(name, digest, days=days)


def _issue(desk: Desk, order: Order, *, group: int | None, replace: bool, passphrase_file: Path | None) -> None:
    authority = desk.authority(passphrase_file)
    with desk.layout.changing():
        issuing.vacant(desk.layout, order.lineage, replace=replace)
        made = issuing.issue(desk.layout, authority, Record(order, group=group), now=desk.clock())
    say_live(made, desk.layout)
    click.echo(f"  names: {', '.join(order.said())}")
    click.echo(f"  good until {made.certificate.not_valid_after_utc:%Y-%m-%d}")
