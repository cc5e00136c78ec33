"""`appliance central site`: which sites the centre knows, for which tenant, and how each proves who it is."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from pathlib import Path

import click

from appliance.central.registry import BOX, ROLES, Registry, Site, certificate_digest
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import print_facts, print_json, print_rows
from appliance.errors import ConfigurationError

COLUMNS = ("site", "tenant", "role", "enabled", "keys", "tokens", "certificates")
TOKEN_BYTES = 32

_path = click.Path(exists=True, dir_okay=False, path_type=Path)


def registry_of(installation: Installation) -> Registry:
    """The registry that the configuration names."""
    return Registry(installation.settings.central.registry)


@click.group()
def site() -> None:
    """Sites of the centre: a file each in the directory `central.registry`."""


@site.command()
@click.argument("name")
@click.option("--tenant", required=True, help="Whose data it may send.")
@click.option("--role", type=click.Choice(sorted(ROLES)), default=BOX, show_default=True, help="What it is.")
@click.option("--signature-key", "keys", type=_path, multiple=True, help="PEM file: public key under its records.")
@click.option("--certificate", "certificates", type=_path, multiple=True, help="PEM file: let in by this one alone.")
@click.option("--with-token", is_flag=True, help="Make a bearer token and print it, this once.")
@click.option("--replace", "again", is_flag=True, help="Take the place of what is there under this name.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
def add(
    installation: Installation, name: str, tenant: str, role: str, keys: tuple[Path, ...],
    certificates: tuple[Path, ...], with_token: bool, again: bool, as_json: bool,
) -> None:  # fmt: skip
    """Let a site in: by a client certificate with its name in it, or by a token."""
    registry = registry_of(installation)
    if name in registry.names() and not again:
        raise ConfigurationError(f"there is a site {name}", hint="--replace takes its place")
    before = registry.find(name)
    enabled = before is None or before.enabled
    token = secrets.token_urlsafe(TOKEN_BYTES) if with_token else ""
    registry.write(Site(
        name=name,
        tenant=tenant,
        role=role,
        enabled=enabled,
        signature_keys=tuple(_text(path) for path in keys),
        token_sha256=(hashlib.sha256(token.encode()).hexdigest(),) if token else (),
        certificate_sha256=tuple(certificate_digest(_text(path)) for path in certificates),
    ))  # fmt: skip
    if as_json:
        print_json({"site": name, "tenant": tenant, **({"token": token} if token else {})})
        return
    refused = "" if enabled else f" It is disabled still: appliance central site enable {name}"
    click.echo(f"Site {name} may send for tenant {tenant}.{refused}")
    if token:
        click.echo(f"Token: {token}")


@site.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@pass_installation
def list_(installation: Installation, as_json: bool) -> None:
    """List the sites; one whose file cannot be used is refused and shown without a tenant."""
    registry = registry_of(installation)
    rows = [_row(name, registry.find(name)) for name in registry.names()]
    print_rows(rows, COLUMNS, as_json=as_json, empty="There is no site. Let one in: appliance central site add")


@site.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
def show(installation: Installation, name: str, as_json: bool) -> None:
    """Show one site: its tenant, its keys, digests of its tokens and certificates."""
    print_facts(registry_of(installation).get(name).document(), as_json=as_json)


@site.command()
@click.argument("name")
@pass_installation
def disable(installation: Installation, name: str) -> None:
    """Refuse a site from now on; what it has sent stays."""
    _switch(installation, name, enabled=False)
    click.echo(f"Site {name} is refused from now on.")


@site.command()
@click.argument("name")
@pass_installation
def enable(installation: Installation, name: str) -> None:
    """Let a disabled site in again."""
    _switch(installation, name, enabled=True)
    click.echo(f"Site {name} is let in again.")


@site.command()
@click.argument("name")
@pass_installation
def remove(installation: Installation, name: str) -> None:
    """Forget a site; what it has sent stays."""
    registry_of(installation).remove(name)
    click.echo(f"Site {name} removed.")


def _switch(installation: Installation, name: str, *, enabled: bool) -> None:
    registry = registry_of(installation)
    registry.write(replace(registry.get(name), enabled=enabled))


def _row(name: str, found: Site | None) -> dict[str, object]:
    if found is None:
        return {"site": name, "tenant": "", "role": "its file cannot be used", "enabled": False}
    return {
        "site": name,
        "tenant": found.tenant,
        "role": found.role,
        "enabled": found.enabled,
        "keys": len(found.signature_keys),
        "tokens": len(found.token_sha256),
        "certificates": len(found.certificate_sha256),
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{path} cannot be read as PEM", hint="name a PEM file") from None
