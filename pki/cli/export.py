"""The verb that carries things away: `export`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from pki import bundle, disk, keys, lineage
from pki.bundle import FORMS
from pki.cli.desk import Desk, passphrase
from pki.errors import Exists, Refused
from pki.layout import KEY, Layout
from pki.lineage import Generation
from pki.profiles import SIGNING

CA = "ca"
PLAIN = ("pem", "der", "folder")


@click.command()
@click.argument("name")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="File (or folder) to make.")
@click.option(
    "--form", type=click.Choice((*FORMS, *PLAIN)), default="pkcs12", show_default=True, help="What to write; see above."
)
@click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File whose first line protects the PKCS #12 file; else it is typed twice.",
)
@click.pass_obj
def export(desk: Desk, name: str, target: Path, form: str, passphrase_file: Path | None) -> None:
    """Write the live certificate of lineage NAME (`ca`: the authority) for another machine.

    \b
    pkcs12         certificate, key and authority, AES-256: for consoles of today
    pkcs12-legacy  the same by 3DES and SHA-1: for old consoles; protects badly
    folder         certificate, chain and key as PEM files: for a box
    pem, der       the certificate alone, without a key
    """
    if os.path.lexists(target):
        raise Exists(f"{target} is there already", hint="choose another name, or remove it")
    if form in FORMS:
        _write(target, _pkcs12(desk.layout, name, form, passphrase_file), disk.SECRET)
    elif form == "folder":
        _write_folder(target, _folder(desk.layout, name))
    else:
        certificate = desk.layout.certificate() if name == CA else _certified(desk.layout, name).certificate
        data = certificate.public_bytes(keys.PEM) if form == "pem" else bundle.der(certificate)
        _write(target, data, disk.PUBLIC)
    click.echo(f"wrote {target}" + (_warning(form) if form not in ("pem", "der") else ""))


def _pkcs12(layout: Layout, name: str, form: str, passphrase_file: Path | None) -> bytes:
    one = _certified(layout, name)
    key = lineage.private_key(one)
    if not isinstance(key, keys.Issuing):
        raise Refused(f"{name} has a key that PKCS #12 files are not made of", hint="export it as a folder")
    secret = passphrase(passphrase_file, "PKCS #12 file", confirm=True)
    return bundle.pkcs12_file(form, one.record.order.name, key, one.certificate, layout.certificate(), secret)


def _certified(layout: Layout, name: str) -> Generation:
    if name == CA:
        raise Refused(
            "the authority's key is never exported", hint="--form pem or der; copy the directory to back it up"
        )
    one = lineage.current(layout, name)
    if one.profile == SIGNING:
        raise Refused(f"{name} is a signing key, without a certificate", hint="--form folder")
    return one


def _folder(layout: Layout, name: str) -> Mapping[str, bytes]:
    if name == CA:
        _certified(layout, name)
    one = lineage.current(layout, name)
    return {path.name: path.read_bytes() for path in sorted(one.directory.iterdir()) if path.suffix == ".pem"}


def _write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    fresh = disk.unfinished(target)
    disk.make_directory(fresh, 0o700)
    for name, data in files.items():
        disk.write_new(fresh / name, data, disk.SECRET if name == KEY else disk.PUBLIC)
    disk.sync_directory(fresh)
    os.rename(fresh, target)
    disk.sync_directory(target.absolute().parent)


def _write(target: Path, data: bytes, mode: int) -> None:
    disk.write_new(target, data, mode)
    disk.sync_directory(target.absolute().parent)


def _warning(form: str) -> str:
    weak = "; its encryption is weak" if form == "pkcs12-legacy" else ""
    return f"{weak}; it holds a private key: carry it by hand and remove it afterwards"
