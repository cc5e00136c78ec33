"""The registry: which site belongs to which tenant, and by what it is known. One JSON file per site in one directory.

The receiver and the loader read it; `appliance central site` writes it. A file that changes counts at once,
a file that cannot be read stands for a site that is refused: never for one that is let in as it was before.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from appliance.errors import ConfigurationError
from appliance.logs import get_logger
from appliance.signatures import Verifier, verifier

SITE_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
TENANT: Final = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,64}")
BOX: Final = "box"
RECEIVER: Final = "receiver"
ROLES: Final = frozenset({BOX, RECEIVER})
SUFFIX: Final = ".json"
# Its files hold digests and public keys, nothing secret: the loader may run as another user.
DIRECTORY_MODE: Final = 0o755
INDEX_SECONDS: Final = 1.0
# Looking through thousands of sites takes a tenth of a second: at most this share of the time goes into it.
INDEX_SHARE: Final = 0.02
FILE_MODE: Final = 0o644
MOST_BYTES: Final = 1 << 20
# Two changes within one tick of the kernel's clock leave the same times: so fresh a file is read again.
SETTLED_NS: Final = 50_000_000

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """One site. `role` box speaks for `tenant` alone; a receiver (of ours) may sign records of every tenant.

    `token_sha256` and `certificate_sha256` are hexadecimal; without certificates named here, any of the
    centre's authority whose common name is the site's counts.
    """

    name: str
    tenant: str
    role: str = BOX
    enabled: bool = True
    signature_keys: tuple[str, ...] = ()
    token_sha256: tuple[str, ...] = ()
    certificate_sha256: tuple[str, ...] = ()

    def speaks_for(self, tenant: str) -> bool:
        """Say whether records of `tenant` may come from here."""
        return self.enabled and (self.role == RECEIVER or tenant == self.tenant)

    def verifiers(self) -> tuple[Verifier, ...]:
        """Return what checks its signatures; several while a key is being exchanged. Raises ConfigurationError."""
        return tuple(verifier(pem.encode()) for pem in self.signature_keys)

    def document(self) -> dict[str, Any]:
        """Return the file's content."""
        return {
            "site": self.name,
            "tenant": self.tenant,
            "role": self.role,
            "enabled": self.enabled,
            "signature_keys": list(self.signature_keys),
            "token_sha256": list(self.token_sha256),
            "certificate_sha256": list(self.certificate_sha256),
        }


def certificate_digest(pem: str) -> str:
    """Return the SHA-256 of a certificate in PEM, as a site's file names it. Raises ConfigurationError."""
    try:
        return x509.load_pem_x509_certificate(pem.encode("ascii")).fingerprint(hashes.SHA256()).hex()
    except ValueError:
        raise ConfigurationError("this is no certificate in PEM", hint="name the file of a certificate") from None


def read_site(text: str, name: str) -> Site:
    """Read a file's content for the site `name`. Raises ConfigurationError that names what is wrong."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"site {name}: the file is no JSON", hint=str(error)) from None
    if not isinstance(found, dict) or found.get("site") != name:
        raise ConfigurationError(f"site {name}: the file is about another site", hint="its name and `site` must agree")
    unknown = sorted(set(found) - set(Site(name, "x").document()))
    if unknown:
        raise ConfigurationError(f"site {name}: unknown key {unknown[0]}", hint="see docs/central.md")
    site = Site(
        name=name,
        tenant=str(found.get("tenant", "")),
        role=str(found.get("role", BOX)),
        enabled=found.get("enabled", True) is True,
        signature_keys=_texts(found, "signature_keys"),
        token_sha256=_texts(found, "token_sha256"),
        certificate_sha256=_texts(found, "certificate_sha256"),
    )
    if not TENANT.fullmatch(site.tenant):
        raise ConfigurationError(f"site {name}: no tenant", hint="letters, digits, points, hyphens; 64 at most")
    if site.role not in ROLES:
        raise ConfigurationError(f"site {name}: unknown role", hint="box or receiver")
    site.verifiers()
    return site


def _texts(found: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = found.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ConfigurationError(f"site {found.get('site')}: {key} is no list of texts", hint="see docs/central.md")
    return tuple(value if key == "signature_keys" else value.lower().replace(":", "") for value in values)


class Registry:
    """The sites of one directory. Safe to use from many threads."""

    def __init__(self, directory: Path) -> None:
        """Take the directory; nothing is read yet."""
        self._directory = directory
        self._lock = threading.Lock()
        self._known: dict[str, tuple[tuple[int, ...], Site | None]] = {}
        self._complaints: dict[str, str] = {}
        self._indexing = threading.Lock()
        self._by_token: dict[str, str] = {}
        self._indexed: tuple[int, float] | None = None

    def site(self, name: str) -> Site | None:
        """Return an enabled site, None for any other name; the file is read again when it has changed."""
        site = self.find(name)
        return site if site is not None and site.enabled else None

    def find(self, name: str) -> Site | None:
        """Return a site, enabled or not; None where there is none or its file cannot be used."""
        if not SITE_NAME.fullmatch(name):
            return None
        path = self._directory / f"{name}{SUFFIX}"
        try:
            facts = path.stat()
        except OSError:
            return None
        # The time of change also tells of another mode or owner, and of a time of modification that was set back.
        stamp = (facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino)
        with self._lock:
            known = self._known.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            site = self._read(path, name)
        except OSError as error:
            # Not remembered: no file descriptor may be left, and the next time there is one.
            self._complain(name, f"it cannot be read: {error.strerror or error}")
            return None
        if time.time_ns() - facts.st_ctime_ns > SETTLED_NS:
            with self._lock:
                self._known[name] = stamp, site
        return site

    def by_token(self, token: str) -> Site | None:
        """Return the enabled site that a bearer token belongs to."""
        wanted = hashlib.sha256(token.encode()).hexdigest()
        self._index_tokens()
        site = self.site(self._by_token.get(wanted, ""))
        return site if site is not None and wanted in site.token_sha256 else None

    def _index_tokens(self) -> None:
        """Note which site each token is of, when a file has come or gone, or once a second: there may be thousands.

        A token that ends counts at once all the same: the site it leads to is looked at each time.
        """
        try:
            changed = self._directory.stat().st_mtime_ns
        except OSError:
            changed = 0
        now = time.monotonic()
        with self._indexing:  # whoever comes meanwhile waits: refused, a box would stop sending
            if self._indexed is not None and self._indexed[0] == changed and now < self._indexed[1]:
                return
            found = (self.site(name) for name in self.names())
            self._by_token = {digest: site.name for site in found if site is not None for digest in site.token_sha256}
            done = time.monotonic()
            self._indexed = changed, done + max(INDEX_SECONDS, (done - now) / INDEX_SHARE)

    def names(self) -> list[str]:
        """Return the names of all sites there are files for."""
        try:
            found = [path.stem for path in self._directory.iterdir() if path.suffix == SUFFIX]
        except OSError:
            return []
        return sorted(name for name in found if SITE_NAME.fullmatch(name))

    def get(self, name: str) -> Site:
        """Return a site, enabled or not. Raises ConfigurationError where there is none that can be used."""
        site = self.find(name)
        if site is None:
            reason = "its file cannot be used" if name in self.names() else "there is no such site"
            raise ConfigurationError(f"site {name}: {reason}", hint="see: appliance central site list")
        return site

    def write(self, site: Site) -> None:
        """Write a site's file, in one step: readers see the old one or the new; durable on return.

        Raises ConfigurationError.
        """
        if not SITE_NAME.fullmatch(site.name):
            raise ConfigurationError("no name of a site", hint="lower-case letters, digits and hyphens; 63 at most")
        text = json.dumps(site.document(), indent=2, ensure_ascii=False) + "\n"
        read_site(text, site.name)
        fresh = self._directory / f".{site.name}{SUFFIX}.new"
        try:
            self._directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            with fresh.open("w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), FILE_MODE)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._directory / f"{site.name}{SUFFIX}")
            self._sync()
        except OSError as error:
            message = f"site {site.name} cannot be written in {self._directory}: {error.strerror}"
            raise ConfigurationError(message, hint="run it as a user who may write there") from None

    def remove(self, name: str) -> None:
        """Remove a site's file, also one that cannot be used; durable on return.

        Raises ConfigurationError where there is none.
        """
        if name not in self.names():
            raise ConfigurationError(f"site {name}: there is no such site", hint="see: appliance central site list")
        try:
            (self._directory / f"{name}{SUFFIX}").unlink()
            self._sync()
        except OSError as error:
            message = f"site {name} cannot be removed from {self._directory}: {error.strerror}"
            raise ConfigurationError(message, hint="run it as a user who may write there") from None

    def _read(self, path: Path, name: str) -> Site | None:
        """Read a file. Raises OSError, which may pass; None for content that does not get better by itself."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("it is no file")
            data = file.read(MOST_BYTES + 1)
        try:
            if len(data) > MOST_BYTES:
                raise ConfigurationError(f"site {name}: the file is too long", hint=f"{MOST_BYTES} bytes at most")
            site = read_site(data.decode(), name)
        except (UnicodeDecodeError, ConfigurationError) as error:
            self._complain(name, str(error))
            return None
        with self._lock:
            self._complaints.pop(name, None)
        return site

    def _complain(self, name: str, reason: str) -> None:
        """Log what is wrong with a site's file, once until it is something else: every request asks anew."""
        with self._lock:
            told, self._complaints[name] = self._complaints.get(name), reason
        if told != reason:
            log.warning("site refused: its file cannot be used", site=name, reason=reason)

    def _sync(self) -> None:
        """Make the directory's entries durable: a site that was disabled must not be back after a loss of power."""
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
