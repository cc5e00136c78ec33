"""The kinds of value a setting can have, each with the rule that makes it safe to use."""

from __future__ import annotations

import codecs
import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
RESERVED_HEADERS = frozenset((
    "accept", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host",
    "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
))  # fmt: skip

_DEFINED_TERM = re.compile(r"(ISO[_ ]IR|ISO 2022 IR) \d{1,3}|GB18030|GBK", re.IGNORECASE)
_HOST = re.compile(r"[0-9A-Za-z.:_%-]{1,255}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")


def _written(pattern: str, rule: str) -> Callable[[str], str]:
    """Return a validator for values that are written like `pattern`; `rule` says so in plain words."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(rule)
        return text

    return check


_uid = _written(r"(?=.{1,64}\Z)[0-9]+(\.[0-9]+)*", "a UID has digits and single dots, at most 64 characters")
_name = _written(r"[a-z0-9][a-z0-9-]{0,63}", "a name has 1 to 64 of a-z, 0-9 and hyphens, a hyphen not first")
_tenant = _written(
    r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}",
    "a tenant has 1 to 64 letters, digits, dots, hyphens and underscores, no dot first",
)
_host = _written(
    r"[0-9A-Za-z.:_%-]{1,255}", "neither an IP address nor a host name; a scheme, path or blank has no place here"
)


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _bindable(path: Path) -> Path:
    # unix(7): sun_path has 108 bytes, the last of them a zero.
    if len(bytes(path)) > 107:
        raise ValueError("the path of a socket has at most 107 bytes")
    return path


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError("not a time zone of the IANA database, such as Europe/Vienna") from None
    return name


def _ae_title(title: str) -> str:
    title = title.strip(" ")
    if not _AE_TITLE.fullmatch(title):
        raise ValueError("an AE title has 1 to 16 printable ASCII characters and no backslash")
    return title


def _network(address: str) -> str:
    if address:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError:
            raise ValueError("neither an IP address nor a network such as 192.168.10.0/24") from None
    return address


def known_charset(text: str) -> str:
    """Return the name of a character set that the appliance can decode. Raises ValueError in plain words."""
    if not text or all(_DEFINED_TERM.fullmatch(term.strip()) for term in text.split("\\") if term):
        return text
    try:
        codecs.lookup(text)
    except LookupError:
        raise ValueError("neither a value of Specific Character Set (0008,0005) nor a codec name") from None
    return text


def _server(address: str) -> str:
    host, separator, port = address.rpartition(":")
    if not separator or not _HOST.fullmatch(host.strip("[]")) or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError("a server is written host:port, such as kafka.example:9093")
    return address


def _url(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("not a URL such as https://pacs.example/dicom-web")
    if "@" in parts.netloc:
        raise ValueError("a URL here carries no user name or password; use token_file")
    return address.rstrip("/")


def _url_or_none(address: str) -> str:
    return _url(address) if address else ""


def _proxy(address: str) -> str:
    parts = urlsplit(address)
    if address and (parts.scheme != "http" or not parts.hostname or "@" in parts.netloc or parts.path.strip("/")):
        raise ValueError("not a proxy such as http://proxy.example:3128 (without user name and password)")
    return address


def _header_name(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError("not the name of a header")
    if name.lower() in RESERVED_HEADERS:
        raise ValueError(f"the appliance sets {name} itself; a bearer token goes into token_file")
    return name


def _header_value(value: str) -> str:
    if not re.fullmatch(r"[ -~]{0,1024}", value):
        raise ValueError("a header's value has at most 1024 printable ASCII characters")
    return value


def _modality(code: str) -> str:
    if not re.fullmatch(r"[A-Z0-9_ ]{1,16}", code):
        raise ValueError("a modality is written in capital letters, such as CT")
    return code


def _topic(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name):
        raise ValueError("a topic has 1 to 249 letters, digits, dots, dashes and underscores")
    return name


def _expanded(path: Path) -> Path:
    if path == Path():
        raise ValueError("the name of a file")
    return path.expanduser()


def _fingerprint(text: str) -> str:
    digits = text.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("write the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons")
    return digits


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
SocketPath = Annotated[Path, AfterValidator(_absolute), AfterValidator(_bindable)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
AeTitle = Annotated[str, AfterValidator(_ae_title)]
Network = Annotated[str, AfterValidator(_network)]
Charset = Annotated[str, AfterValidator(known_charset)]
Uid = Annotated[str, AfterValidator(_uid)]
Name = Annotated[str, AfterValidator(_name)]
Tenant = Annotated[str, AfterValidator(_tenant)]
Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
CredentialFile = Annotated[Path, AfterValidator(_expanded)]
"""Absolute, or the name of a file below $CREDENTIALS_DIRECTORY (`credentials.credential` finds it)."""
Modality = Annotated[str, AfterValidator(_modality)]
TopicName = Annotated[str, AfterValidator(_topic)]
ServerAddress = Annotated[str, AfterValidator(_server)]
HttpUrl = Annotated[str, AfterValidator(_url)]
OptionalHttpUrl = Annotated[str, AfterValidator(_url_or_none)]
ProxyUrl = Annotated[str, AfterValidator(_proxy)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
