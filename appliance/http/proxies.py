"""What a room with an HTTP door believes of a proxy in front of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
FORWARDED: Final = (
    "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port",
    "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Forwarded-By", "X-Real-IP",
)  # fmt: skip
PORTS: Final = {"http": "80", "https": "443"}
# No header can be called this: those of a request begin with HTTP_.
SAID: Final = "appliance.said"


@dataclass(frozen=True, slots=True)
class Said:
    """What our nginx says of a request on its socket, beside sender and scheme; "" for what it did not say.

    `verify` and `certificate` (PEM, escaped): the client's certificate, as nginx has judged it. `body`: a word about
    the request's body, which stays behind, and `length` what it announced. `stored`: below which of its own locations
    nginx can send stored files itself.
    """

    verify: str = ""
    certificate: str = ""
    body: str = ""
    length: str = ""
    stored: str = ""

    @classmethod
    def read(cls, header: Callable[[str], str]) -> Self:
        """Read the headers; `header` takes a name in capitals with underscores and returns "" for none."""
        return cls(**{field: header(_capitals(name)) for field, name in SAID_BY.items()})


SAID_BY: Final[Mapping[str, str]] = {
    "verify": "X-Client-Verify",
    "certificate": "X-Client-Cert",
    "body": "X-Edge-Body",
    "length": "X-Edge-Body-Length",
    "stored": "X-Edge-Stored",
}
SOCKET_ONLY: Final = tuple(SAID_BY.values())


def networks(written: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks of `web.trusted_proxies`."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in written if text)


class BehindProxies:
    """Takes sender and scheme from a trusted proxy's headers; from anybody else they stay, to be refused."""

    def __init__(self, application: WSGIApplication, trusted: Sequence[Network]) -> None:
        """Wrap an application."""
        self._application = application
        self._trusted = tuple(trusted)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        if self._is_trusted(environ.get("REMOTE_ADDR", "")):
            believe(environ)
        return self._application(environ, start_response)

    def _is_trusted(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._trusted)


class OnSocket:
    """Serves the socket that nginx alone can reach: what it says is believed, and its headers are taken away."""

    def __init__(self, application: WSGIApplication) -> None:
        """Wrap an application."""
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = "", "0"
        believe(environ)
        environ[SAID] = Said.read(lambda name: environ.pop(f"HTTP_{name}", ""))
        return self._application(environ, start_response)


def said(environ: Mapping[str, Any]) -> Said:
    """Return what nginx says of a request; nothing of one that came by another way."""
    found = environ.get(SAID)
    return found if isinstance(found, Said) else Said()


def believe(environ: dict[str, Any]) -> None:
    """Take sender and scheme of one request from a proxy's headers, and the headers away.

    The proxy adds the address it sees at the end; what stands before it, anybody may have written.
    """
    headers = {name: environ.pop(_variable(name), "") for name in FORWARDED}
    sender = headers["X-Forwarded-For"].rpartition(",")[2].strip()
    if _address(sender) is not None:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = sender, "0"
    scheme = headers["X-Forwarded-Proto"].strip().lower()
    if scheme in PORTS:
        environ["wsgi.url_scheme"] = scheme
        environ["SERVER_PORT"] = PORTS[scheme]


def wrapper(trusted: Sequence[Network]) -> Callable[[WSGIApplication], WSGIApplication]:
    """Return what wraps an application that stands behind `trusted` proxies; nothing where there are none."""
    return lambda application: BehindProxies(application, trusted) if trusted else application


def _variable(name: str) -> str:
    return f"HTTP_{_capitals(name)}"


def _capitals(name: str) -> str:
    return name.upper().replace("-", "_")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found
