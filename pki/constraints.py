"""Which names an authority may certify (RFC 5280, 4.2.1.10): a stolen key of ours must not speak for the world."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from cryptography import x509

from pki import names
from pki.errors import Refused

# Everywhere inside: private, loopback and link-local networks.
PRIVATE_NETWORKS = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)
DOMAINS = ("local", "localhost")


def constraints(domains: Iterable[str] = (), networks: Iterable[str] = ()) -> x509.NameConstraints:
    """Return what an authority is confined to: `domains` and .local, `networks` and the private ones.

    A domain stands for itself and all names below it. URIs stay free: ours (urn:) have no host to confine.
    """
    allowed = dict.fromkeys((*DOMAINS, *map(names.host_name, domains)))
    ranges = dict.fromkeys(map(names.network, (*PRIVATE_NETWORKS, *networks)))
    permitted: list[x509.GeneralName] = [x509.DNSName(domain) for domain in allowed]
    permitted += [x509.IPAddress(one) for one in ranges]
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None)


def of(certificate: x509.Certificate) -> x509.NameConstraints | None:
    """Return an authority's constraints; None if it has none."""
    try:
        return certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def hold(found: x509.NameConstraints | None, dns: Iterable[str], addresses: Iterable[str]) -> None:
    """Raise Refused for the first name that clients would not believe this authority."""
    permitted = list(found.permitted_subtrees or ()) if found else []
    domains = [one.value for one in permitted if isinstance(one, x509.DNSName)]
    networks = [one.value for one in permitted if isinstance(one, x509.IPAddress)]
    for name in dns if domains else ():
        if not any(name == domain or name.endswith(f".{domain}") for domain in domains):
            raise _outside(name, domains)
    for text in addresses if networks else ():
        one = ip_address(text)
        if not any(isinstance(net, names.Network) and one.version == net.version and one in net for net in networks):
            raise _outside(text, networks)


def _outside(name: str, permitted: Iterable[object]) -> Refused:
    inside = ", ".join(map(str, permitted))
    return Refused(
        f"{name} is outside of what this authority may certify ({inside})",
        hint="leave the name out, or make an authority that includes it: init --domain, --network",
    )
