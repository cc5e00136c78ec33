"""What kinds of certificates there are: for each its uses, its key, how long it lives and who it names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki import names
from pki.errors import Refused

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
SIGNING = "signing"


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind: extended key usages, the key made when none is chosen, days by default and at most."""

    name: str
    usages: tuple[x509.ObjectIdentifier, ...]
    key_type: str
    days: int
    longest_days: int


# 825 days is what clients that are strict about private authorities accept of a server; 397 is a public one's.
PROFILES = {
    profile.name: profile
    for profile in (
        Profile("server", (SERVER,), "p256", 397, 825),
        Profile("box", (CLIENT,), "p256", 397, 825),
        # A console is set up once, by a service engineer: its certificate lasts as long as it does.
        Profile("modality", (CLIENT,), "rsa3072", 3650, 3650),
    )
}


@dataclass(frozen=True, slots=True)
class Order:
    """What one certificate shall say. `both` adds the other of server and client use to the profile's own.

    `label` is said in no certificate: it tells apart two of the same name that are kept in different hands.
    """

    profile: str
    name: str
    key_type: str
    days: int
    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    both: bool = False
    label: str = ""

    @property
    def usages(self) -> tuple[x509.ObjectIdentifier, ...]:
        """The extended key usages."""
        return (SERVER, CLIENT) if self.both else PROFILES[self.profile].usages

    @property
    def common_name(self) -> str:
        """The subject's common name; that of a box, its site id, is one that no other profile can have.

        Others hold a dot or a blank. A blank also keeps an AE title from being taken for a host name, to which
        clients would apply the authority's constraints.
        """
        if self.profile == "server":
            return self.name if "." in self.name else names.local_name(self.name)
        return f"AE {self.name}" if self.profile == "modality" else self.name

    @property
    def lineage(self) -> str:
        """The name of its files' directory: profile and name; what no path may hold is percent-encoded."""
        return lineage_name(self.profile, self.name) + (f"+{self.label}" if self.label else "")

    def subject_alternative_names(self) -> list[x509.GeneralName]:
        """The names as they stand in the certificate."""
        found: list[x509.GeneralName] = [x509.DNSName(name) for name in self.dns]
        found += [x509.IPAddress(ip_address(one)) for one in self.addresses]
        return found + [x509.UniformResourceIdentifier(uri) for uri in self.uris]

    def said(self) -> list[str]:
        """The names for people and ledgers."""
        return [*self.dns, *self.addresses, *self.uris]


def lineage_name(profile: str, name: str) -> str:
    """Return the directory name of a profile's NAME, such as `box-clinic-7` or `modality-CT%201`."""
    return f"{profile}-{quote(name, safe='')}"


def server(
    host: str,
    *,
    dns: Iterable[str] = (),
    addresses: Iterable[str] = (),
    both: bool = False,
    days: int | None = None,
    key_type: str | None = None,
    label: str = "",
) -> Order:
    """Order a server's certificate, for HTTPS and DICOM TLS: its name, its .local name, more names and addresses.

    `both` is for a DICOM node that also calls others with it, `label` for a second one of the same host. Raises
    Refused for a bad name, label or lifetime.
    """
    own = names.host_name(host)
    wanted = [own, names.local_name(own), *map(names.host_name, dns)]
    found = _unique(map(names.address, addresses))
    told = names.label(label) if label else ""
    return _order("server", own, days, key_type, dns=_unique(wanted), addresses=found, both=both, label=told)


def box(site: str, machine: str, *, days: int | None = None, key_type: str | None = None) -> Order:
    """Order a box's client certificate for the centre: CN is the site id, bound to one machine. Raises Refused."""
    uris = (names.site_uri(site), names.machine_uri(machine))
    return _order("box", site, days, key_type, uris=uris)


def modality(
    ae_title: str,
    *,
    addresses: Iterable[str],
    both: bool = False,
    days: int | None = None,
    key_type: str | None = None,
) -> Order:
    """Order a modality's client certificate: its AE title and the addresses it calls from. Raises Refused."""
    title = names.ae_title(ae_title)
    found = _unique(map(names.address, addresses))
    if not found:
        raise Refused(f"no address is given for {title!r}", hint="say which address it calls from: --address")
    return _order("modality", title, days, key_type, addresses=found, uris=(names.ae_uri(title),), both=both)


def _order(profile: str, name: str, days: int | None, key_type: str | None, **details: object) -> Order:
    kind = PROFILES[profile]
    wanted = kind.days if days is None else days
    if not 1 <= wanted <= kind.longest_days:
        raise Refused(
            f"a {profile} certificate cannot last {wanted} days", hint=f"choose 1 to {kind.longest_days} days"
        )
    order = Order(profile, name, key_type or kind.key_type, wanted, **details)  # type: ignore[arg-type]
    if len(order.common_name) > names.LONGEST_COMMON_NAME:
        hint = f"use at most {names.LONGEST_COMMON_NAME} characters, and give longer names by --dns"
        raise Refused(f"{order.common_name!r} is too long", hint=hint)
    return order


def _unique(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))
