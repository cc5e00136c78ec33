"""The kinds of value a setting can have, each with the rule that makes it safe to use."""

from __future__ import annotations

import codecs
import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

_DEFINED_TERM = re.compile(r"(ISO[_ ]IR|ISO 2022 IR) \d{1,3}|GB18030|GBK", re.IGNORECASE)
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


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
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
