"""One thing's certificates over the years: generations in the archive, one of them live.

A generation is a directory that is written and synced as a whole before the live link points to it. The link
is switched by a single rename, so whoever resolves it once sees a certificate and its own key, always.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography import x509

from pki import disk, keys
from pki.errors import Damaged, Missing
from pki.layout import CERTIFICATE, KEY, Layout
from pki.profiles import Order

RECORD = "lineage.json"
OWN, REQUEST = "own", "request"
# What a record of an older version lacks has its default.
ORDER = tuple(field.name for field in fields(Order))


@dataclass(frozen=True, slots=True)
class Record:
    """What a lineage is for: its order, whose key (`own`: made here, `request`: theirs), the group that may read it."""

    order: Order
    source: str = OWN
    group: int | None = None

    def text(self) -> bytes:
        """The record as JSON."""
        return json.dumps(asdict(self), indent=2).encode() + b"\n"

    @classmethod
    def read(cls, text: bytes) -> Record:
        """Return what `text` wrote. Raises ValueError."""
        try:
            found = json.loads(text)
            order: dict[str, Any] = {name: _tuple(found["order"][name]) for name in ORDER if name in found["order"]}
            return cls(Order(**order), found["source"], found["group"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{error} is wrong or absent") from None


@dataclass(frozen=True)
class Generation:
    """One directory of the archive, resolved once: nothing here follows the live link again.

    Or a folder that was carried here from another machine's archive (`carried`): it has no record.
    """

    name: str
    directory: Path
    carried: bool = False

    @cached_property
    def record(self) -> Record:
        """What it is for. Raises Damaged."""
        path = self.directory / RECORD
        try:
            return Record.read(path.read_bytes())
        except (OSError, ValueError) as error:
            raise Damaged(f"{path} cannot be used: {error}", hint="restore it from the backup, or issue anew") from None

    @cached_property
    def certificate(self) -> x509.Certificate:
        """Its certificate. Raises Damaged."""
        return self.read(CERTIFICATE)

    def read(self, file: str) -> x509.Certificate:
        """Return the first certificate of one of its files. Raises Damaged."""
        return self.certificates(file)[0]

    def certificates(self, file: str) -> list[x509.Certificate]:
        """Return all certificates of one of its files, one at least. Raises Damaged."""
        path = self.directory / file
        try:
            return x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError) as error:
            raise Damaged(f"{path} cannot be used: {error}", hint="restore it from the backup, or issue anew") from None

    @property
    def profile(self) -> str:
        """Its profile; "" of a carried folder. Raises Damaged."""
        return self.record.order.profile if not self.carried else ""

    @property
    def source(self) -> str:
        """Whose key it is. Raises Damaged."""
        return self.record.source if not self.carried else OWN

    @property
    def group(self) -> int | None:
        """The group that may read the key. Raises Damaged."""
        return self.record.group if not self.carried else None

    @property
    def key(self) -> Path:
        """The private key's file."""
        return self.directory / KEY


def publish(layout: Layout, name: str, files: Mapping[str, bytes], record: Record) -> Generation:
    """Write a new generation and make it live; durable on return. A crash leaves the one before it live.

    Only inside `layout.changing()`. May raise OSError.
    """
    for parent in (layout.archive, layout.archive / name, layout.live):
        disk.make_directory(parent)
    target = layout.archive / name / str(_newest(layout, name) + 1)
    fresh = disk.unfinished(target)
    disk.make_directory(fresh)
    for file, data in {**files, RECORD: record.text()}.items():
        secret = disk.SECRET if record.group is None else disk.SHARED
        group = record.group if file == KEY else None
        disk.write_new(fresh / file, data, secret if file == KEY else disk.PUBLIC, group)
    disk.sync_directory(fresh)
    os.rename(fresh, target)
    disk.sync_directory(target.parent)
    disk.link(layout.live / name, os.path.join("..", "archive", name, target.name))
    return Generation(name, target)


def current(layout: Layout, name: str) -> Generation:
    """Return the live generation of a lineage. Raises Missing."""
    link = layout.live / name
    if "/" in name or name.startswith(".") or not link.is_dir():
        known = ", ".join(one.name for one in all_of(layout)) or "none"
        raise Missing(f"there is no lineage {name!r}", hint=f"these are live: {known}")
    return Generation(name, link.resolve())


def all_of(layout: Layout) -> Iterator[Generation]:
    """Every live lineage, by name."""
    for link in sorted(layout.live.glob("[!.]*")) if layout.live.is_dir() else ():
        yield Generation(link.name, link.resolve())


def exists(layout: Layout, name: str) -> bool:
    """Tell whether a lineage is live."""
    return (layout.live / name).is_symlink()


def retire(layout: Layout, name: str) -> None:
    """Take a lineage out of use: its live link goes, durably; its files stay in the archive. May raise OSError."""
    (layout.live / name).unlink(missing_ok=True)
    disk.sync_directory(layout.live)


def _newest(layout: Layout, name: str) -> int:
    found = (path.name for path in (layout.archive / name).iterdir())
    return max((int(number) for number in found if number.isdigit()), default=0)


def private_key(generation: Generation) -> keys.PrivateKey:
    """Return its private key. Raises Missing, Locked or Damaged."""
    try:
        return keys.load(generation.key.read_bytes(), None, str(generation.key))
    except FileNotFoundError:
        raise Missing(
            f"{generation.key} is not here", hint="its key was made elsewhere, or it was carried away"
        ) from None


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
