"""The kinds of value a setting can have, each with the rule that makes it safe to use."""

from __future__ import annotations

import codecs
import ipaddress
import re
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

_DEFINED_TERM = re.compile(r"(ISO[_ ]IR|ISO 2022 IR) \d{1,3}|GB18030|GBK", re.IGNORECASE)
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")


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


def _charset(text: str) -> str:
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
Charset = Annotated[str, AfterValidator(_charset)]
Uid = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Tenant = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
Host = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[0-9A-Za-z.:_%-]+$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
