"""Where everything lies below one directory, after certbot's model.

ca/cert.pem ca/key.pem      the authority; made once, in one step
crl.pem                     the revocation list in force
ledger.jsonl                every serial number that was given out, every revocation
archive/NAME/3/             one generation of a lineage: cert, chain, fullchain, key (PEM), lineage.json
live/NAME -> ../archive/NAME/3
lock                        held by the one run that changes anything
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from pki import disk, keys
from pki.authority import Authority
from pki.errors import Damaged, Exists, Locked, Missing

CERTIFICATE, KEY = "cert.pem", "key.pem"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below `root`, and the authority that lives there."""

    root: Path

    @property
    def authority_directory(self) -> Path:
        """The directory of the authority's certificate and key."""
        return self.root / "ca"

    @property
    def ca_certificate(self) -> Path:
        """What everybody trusts."""
        return self.authority_directory / CERTIFICATE

    @property
    def ca_key(self) -> Path:
        """What nobody else may read."""
        return self.authority_directory / KEY

    @property
    def crl(self) -> Path:
        """The revocation list, PEM."""
        return self.root / "crl.pem"

    @property
    def ledger(self) -> Path:
        """The register of serial numbers, JSON lines."""
        return self.root / "ledger.jsonl"

    @property
    def live(self) -> Path:
        """The directory of links to what is in use."""
        return self.root / "live"

    @property
    def archive(self) -> Path:
        """The directory of all generations of all lineages."""
        return self.root / "archive"

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Be the one run that changes things. Raises Missing, Busy, and Locked for another user than the owner.

        Files made by another user would be unreadable to the owner's next run.
        """
        if not self.root.is_dir():
            raise Missing(f"there is no directory {self.root}", hint="make the authority first: appliance-pki init")
        if self.root.stat().st_uid != os.geteuid():
            owner = self.root.stat().st_uid
            raise Locked(
                f"{self.root} belongs to user {owner}", hint=f"run the command as that user: sudo -u '#{owner}'"
            )
        with disk.locked(self.root / "lock"):
            yield

    def found(self, authority: Authority, passphrase: bytes | None = None) -> None:
        """Write a new authority, its key encrypted if there is a passphrase; all of it durable on return, or none.

        Raises Exists when there is one: another would make every certificate of the first worthless.
        """
        if self.authority_directory.exists():
            raise Exists(
                f"{self.authority_directory} holds an authority", hint="use it, or make another in another directory"
            )
        for directory in (self.archive, self.live):
            disk.make_directory(directory)
        fresh = disk.unfinished(self.authority_directory)
        disk.make_directory(fresh)
        disk.write_new(fresh / KEY, keys.private_pem(authority.key, passphrase), disk.SECRET)
        disk.write_new(fresh / CERTIFICATE, authority.pem)
        disk.sync_directory(fresh)
        os.rename(fresh, self.authority_directory)
        disk.sync_directory(self.root)

    def certificate(self) -> x509.Certificate:
        """Return the authority's certificate. Raises Missing or Damaged."""
        try:
            return x509.load_pem_x509_certificate(self.ca_certificate.read_bytes())
        except FileNotFoundError:
            hint = "make the authority first: appliance-pki init; or name its directory: --directory"
            raise Missing(f"there is no authority in {self.root}", hint=hint) from None
        except ValueError:
            raise Damaged(f"{self.ca_certificate} is no certificate", hint="restore it from the backup") from None

    def key_is_encrypted(self) -> bool:
        """Tell whether the authority's key needs a passphrase. Raises Missing, Locked."""
        return keys.is_encrypted(self._key_bytes())

    def authority(self, passphrase: bytes | None = None) -> Authority:
        """Return the authority with its key. Raises Missing, Locked or Damaged."""
        certificate = self.certificate()
        key = keys.load(self._key_bytes(), passphrase, str(self.ca_key))
        if not isinstance(key, keys.Issuing) or keys.public_der(key.public_key()) != keys.public_der(
            certificate.public_key()
        ):
            raise Damaged(f"{self.ca_key} is not the key of {self.ca_certificate}", hint="restore both from the backup")
        return Authority(certificate, key)

    def _key_bytes(self) -> bytes:
        try:
            return self.ca_key.read_bytes()
        except FileNotFoundError:
            raise Missing(f"{self.ca_key} is not here", hint="without its key an authority cannot sign") from None
        except PermissionError:
            raise Locked(f"{self.ca_key} may not be read", hint="run the command as its owner") from None
