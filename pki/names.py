"""What may stand in a certificate: host names, addresses, site ids, AE titles. Pure checks, one normal form each."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote, unquote

from pki.errors import Refused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SITE_URI = "urn:dicom-edge:site:"
MACHINE_URI = "urn:dicom-edge:machine:"
AE_URI = "urn:dicom-edge:ae:"

LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name
LONGEST_HOST = 253
LONGEST_AE_TITLE = 16  # PS3.5 6.2, VR AE

_SITE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # as the centre's registry takes it
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MACHINE = re.compile(r"[0-9a-f]{64}")
_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")  # printable ASCII but the backslash


def site_id(text: str) -> str:
    """Return a site id as it is. Raises Refused for all but 1 to 63 of a-z, 0-9 and hyphen, which is inside only."""
    if not _SITE.fullmatch(text):
        raise Refused(f"{text!r} is not a site id", hint="use 1 to 63 of a-z, 0-9 and hyphens, none first or last")
    return text


def host_name(text: str) -> str:
    """Return a host name in lower case. Raises Refused for what RFC 1123 does not allow, wildcards and addresses."""
    name = text.lower()
    if not text.isascii():
        raise Refused(f"{text!r} is not ASCII", hint="write the name in its ASCII form, which begins with xn--")
    if _is_address(name):
        raise Refused(f"{text!r} is an address, not a name", hint="give it as an address (--ip)")
    if "*" in name:
        raise Refused(f"{text!r} is a wildcard", hint="name every host; a key for all of them opens all of them")
    labels = name.split(".")
    # A last label of digits would be read as an address by some clients.
    if len(name) > LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise Refused(f"{text!r} is not a host name", hint="use letters, digits and hyphens between dots (RFC 1123)")
    return name


def label(text: str) -> str:
    """Return a label as it is. Raises Refused for all but 1 to 63 of a-z, 0-9 and hyphen, which is inside only."""
    if not _LABEL.fullmatch(text):
        raise Refused(f"{text!r} is not a label", hint="use letters in lower case, digits, and hyphens inside")
    return text


def local_name(host: str) -> str:
    """Return the name by which multicast DNS knows a host: its first label in .local (RFC 6762)."""
    return f"{host.partition('.')[0]}.local"


def address(text: str) -> str:
    """Return one host's IP address in its shortest form. Raises Refused for networks, zones, multicast, 0.0.0.0."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise Refused(f"{text!r} is not an IP address", hint="write it like 192.0.2.7 or 2001:db8::7") from None
    if isinstance(found, ipaddress.IPv6Address) and (found.scope_id or found.ipv4_mapped):
        raise Refused(f"{text!r} has a zone or is a mapped address", hint="write the plain IPv4 or IPv6 address")
    if found.is_unspecified or found.is_multicast or found == ipaddress.ip_address("255.255.255.255"):
        raise Refused(f"{text!r} is no single host's address", hint="give the address that the host answers at")
    return str(found)


def network(text: str) -> Network:
    """Return a network such as 10.0.0.0/8. Raises Refused."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise Refused(f"{text!r} is not a network: {error}", hint="write it like 192.0.2.0/24") from None


def ae_title(text: str) -> str:
    """Return an AE title without its insignificant blanks (PS3.5 6.2). Raises Refused for anything else."""
    title = text.strip(" ")
    if not title or not _AE_TITLE.fullmatch(title):
        raise Refused(f"{text!r} is not an AE title", hint="use 1 to 16 printable ASCII characters, no backslash")
    return title


def machine(text: str) -> str:
    """Return a machine hash: 64 hexadecimal digits in lower case. Raises Refused."""
    found = text.strip().lower()
    if not _MACHINE.fullmatch(found):
        raise Refused(f"{text!r} is not a machine hash", hint="on that machine, run: appliance-pki machine")
    return found


def title(text: str) -> str:
    """Return a name for people (an authority's). Raises Refused for control characters or over 64 characters."""
    name = " ".join(text.split())
    if not name or not name.isprintable() or len(name) > LONGEST_COMMON_NAME:
        raise Refused(f"{text!r} cannot be a name", hint="use 1 to 64 printable characters")
    return name


def site_uri(site: str) -> str:
    """Return the URI that names a site."""
    return SITE_URI + site_id(site)


def machine_uri(digest: str) -> str:
    """Return the URI that binds a certificate to a machine."""
    return MACHINE_URI + machine(digest)


def ae_uri(text: str) -> str:
    """Return the URI that names an AE title, percent-encoded (RFC 3986): `CT 1` is urn:dicom-edge:ae:CT%201."""
    return AE_URI + quote(ae_title(text), safe="")


def ae_of(uri: str) -> str | None:
    """Return the AE title that a URI names, or None if it names something else or is not in its one normal form."""
    if not uri.startswith(AE_URI):
        return None
    try:
        found = ae_title(unquote(uri.removeprefix(AE_URI), errors="strict"))
    except (Refused, UnicodeDecodeError):
        return None
    return found if ae_uri(found) == uri else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
