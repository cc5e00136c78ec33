"""What the installer is asked, and what stands in for an answer that was not given."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from appliance.errors import ConfigurationError

LONGEST_SITE: Final = 63
PORTS: Final = range(1, 65536)
HTTPS_PORT: Final = 443
HINT: Final = "docs/cli.md lists the answers; mend it and run the command again"

# As appliance-pki takes a site: no hyphen first or last, so that it fits into a certificate for the centre.
_SITE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TENANT: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_AE_TITLE: Final = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# A last label of digits would be read as an address by some clients.
_HOST: Final = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")


@dataclass(frozen=True, slots=True)
class Answers:
    """Every answer, sound. `dicom_ports`: the first is the main one, [] none other; `dicom_tls_port`: None is no TLS.

    The password is never part of a text made of this.
    """

    site: str
    https_name: str
    tenant: str = "default"
    ae_title: str = "APPLIANCE"
    dicom_address: str = "127.0.0.1"
    dicom_ports: tuple[int, ...] = (11112, 104)
    dicom_tls_port: int | None = 2762
    https_address: str = "127.0.0.1:443"
    admin_password: str = field(default="", repr=False)
    setup_code: bool = False

    def document(self) -> dict[str, Any]:
        """Return the answers as they are given, without the password and the wish for a code."""
        found = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name not in SECRET}
        return {**found, "dicom_ports": list(self.dicom_ports)}


SECRET: Final = frozenset({"admin_password", "setup_code"})


def answered(text: str, standing: Answers) -> Answers:
    """Return what stands with the answers of a text laid over it; an answer that is null or "" stands.

    Except for `dicom_tls_port`, where null or "" is an answer: no TLS. The text is a JSON object, or a line
    `name=value` for each answer. Raises ConfigurationError that names every answer that cannot be, and no password.
    """
    given = _object(text) if text.lstrip()[:1] in ("{", "[", '"') else _lines(text)
    wrong = [f"{name} is no question" for name in given if name not in RULES]
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name in RULES and (name == "dicom_tls_port" or value not in (None, "")):
            try:
                changes[name] = RULES[name](value)
            except ValueError as error:
                wrong.append(f"{name}: {error}")
    if not wrong:
        found = dataclasses.replace(standing, **changes)
        wrong = clashes(found)
    if wrong:
        raise ConfigurationError("the answers cannot be used:" + "".join(f"\n  {one}" for one in wrong), hint=HINT)
    return found


def clashes(answers: Answers) -> list[str]:
    """Return a sentence for every port that two doors would listen on."""
    https = door(answers.https_address)
    taken = list(answers.dicom_ports) + ([answers.dicom_tls_port] if answers.dicom_tls_port else [])
    wrong = [f"port {port} is given twice for DICOM" for port in sorted({one for one in taken if taken.count(one) > 1})]
    if https[1] in taken and _meet(https[0], answers.dicom_address):
        wrong.append(f"port {https[1]} is given for DICOM and for HTTPS")
    return wrong


def door(address: str) -> tuple[str, int]:
    """Return address and port of an `https_address`, sound already."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def written(host: str, port: int) -> str:
    """Return an address with its port as systemd and nginx read it: 127.0.0.1:443, [::1]:443."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def site_of(host: str) -> str:
    """Return a host name as the name of a site: its first label, reduced to what a site may have."""
    label = re.sub(r"[^a-z0-9]+", "-", host.lower().partition(".")[0])[:LONGEST_SITE].strip("-")
    return label or "site-1"


def host_of(host: str) -> str:
    """Return a host name that can be certified; one that cannot becomes `appliance`."""
    name = host.lower().rstrip(".")
    return name if _HOST.fullmatch(name) else "appliance"


def _meet(one: str, other: str) -> bool:
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    return first == second or first.is_unspecified or second.is_unspecified


def _object(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text, strict=False)
    except ValueError as error:
        raise ConfigurationError(f"the answers are not JSON: {_place(error)}", hint=HINT) from None
    if not isinstance(given, dict):
        raise ConfigurationError("the answers are not a JSON object", hint=HINT)
    return given


def _lines(text: str) -> dict[str, Any]:
    """Whatever a line has after its first `=` is the answer, blanks and quotes too. A line may lack an end."""
    lines = [line for line in text.split("\n") if line]
    if not lines or any("=" not in line for line in lines):
        raise ConfigurationError("the answers are neither JSON nor lines of name=value", hint=HINT)
    return dict(line.split("=", 1) for line in lines)


def _place(error: ValueError) -> str:
    """Where the text stops being JSON, without quoting any of it."""
    return f"{error.msg} (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else "not text"


def _like(pattern: re.Pattern[str], rule: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        if not pattern.fullmatch(text):
            raise ValueError(rule)
        return text

    return check


def _address(value: object) -> str:
    try:
        found = ipaddress.ip_address(str(value).strip().strip("[]"))
    except ValueError:
        raise ValueError("an IP address of this machine, such as 192.168.10.5; 0.0.0.0 or :: is all of them") from None
    if found.is_multicast or getattr(found, "scope_id", None):
        raise ValueError("an address without a zone, of one machine")
    return str(found)


def _https_address(value: object) -> str:
    """An address with or without a port; a port alone is on every address of IPv4."""
    text = str(value).strip()
    host, separator, port = text.rpartition(":")
    try:
        if not separator or _is_address(text):
            return written(_address(text), HTTPS_PORT)
        return written(_address(host), _port(port))
    except ValueError:
        raise ValueError("an IP address and a port, such as 192.168.10.5:443 or [::]:443") from None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _port(value: object) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,5}", text) or int(text) not in PORTS:
        raise ValueError("a TCP port is a number from 1 to 65535")
    return int(text)


def _ports(value: object) -> tuple[int, ...]:
    """A list, or ports with blanks or commas between them."""
    found = value if isinstance(value, list) else re.split(r"[\s,]+", str(value).strip())
    return tuple(dict.fromkeys(_port(one) for one in found if one != "")) or _none_given()


def _none_given() -> tuple[int, ...]:
    raise ValueError("one port at least")


def _optional_port(value: object) -> int | None:
    return None if value in (None, "", 0, "0") else _port(value)


def _password(value: object) -> str:
    # JSON can name half a character, which no program could be handed.
    if not isinstance(value, str) or re.search("[\n\r\ud800-\udfff]", value):
        raise ValueError("a password is one line of text")
    return value


def _truth(value: object) -> bool:
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise ValueError("true or false")


RULES: Final[Mapping[str, Callable[[object], Any]]] = {
    "site": _like(_SITE, f"1 to {LONGEST_SITE} of a-z, 0-9 and hyphens, no hyphen first or last"),
    "tenant": _like(_TENANT, "1 to 64 letters, digits, dots, hyphens and underscores, no dot first"),
    "ae_title": _like(_AE_TITLE, "1 to 16 printable ASCII characters and no backslash"),
    "dicom_address": _address,
    "dicom_ports": _ports,
    "dicom_tls_port": _optional_port,
    "https_address": _https_address,
    "https_name": lambda value: _like(_HOST, "a host name such as pacs.clinic.example")(str(value).lower()),
    "admin_password": _password,
    "setup_code": _truth,
}
