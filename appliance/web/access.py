"""Who may reach the door: rules about headers that hold before any handler runs.

They keep other web sites, other names and unknown proxies from using somebody's browser to come through.
Without logins nothing else protects a door on loopback.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from appliance.dicomweb.problems import Problem
from appliance.http.proxies import FORWARDED, SOCKET_ONLY

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[0-9A-Za-z._-]+)(?::([0-9]{1,5}))?")
_OWN_FETCHES: Final = frozenset({None, "same-origin", "none"})


class Headers(Protocol):
    """The headers of a request; names match in any case."""

    def get(self, key: str, /) -> str | None:
        """Return a header's value, None when it is absent."""


def host_name(header: str) -> str | None:
    """Return the name in a Host header, lower case and without port; None if it is not one name."""
    found = _HOST.fullmatch(header.strip())
    return found.group(1).lower() if found else None


def allowed_names(bound: str, configured: tuple[str, ...]) -> frozenset[str]:
    """Return every host name a request may carry: loopback's, the address listened on, those configured."""
    own = f"[{bound}]" if ":" in bound else bound
    return LOOPBACK_NAMES | {own.lower()} | {name.lower() for name in configured}


def check_host(headers: Headers, allowed: frozenset[str]) -> Problem | None:
    """Refuse a name that is not ours: DNS rebinding makes a browser take us for another site."""
    name = host_name(headers.get("Host") or "")
    if name is None:
        return Problem(400, "the Host header is missing or not valid")
    if name not in allowed:
        return Problem(421, "this appliance is not known by the name in the Host header", "set web.allowed_hosts")
    return None


def check_forwarded(headers: Headers) -> Problem | None:
    """Refuse what comes through a proxy nobody has vouched for: who sends it, and by what way, is not known.

    Of trusted proxies, and on the socket of nginx, these headers were read, and taken away, before this.
    """
    if any(headers.get(name) is not None for name in (*FORWARDED, *SOCKET_ONLY)):
        return Problem(403, "requests through this proxy are refused", "set web.trusted_proxies")
    return None


def check_origin(method: str, headers: Headers, scheme: str = "http") -> Problem | None:
    """Refuse a write that a page of another site makes; programs send neither header and pass."""
    if method in SAFE_METHODS:
        return None
    own = f"{scheme}://{(headers.get('Host') or '').strip()}"
    if headers.get("Origin") not in (None, own) or headers.get("Sec-Fetch-Site") not in _OWN_FETCHES:
        return Problem(403, "a page of another site may not write to this appliance")
    return None


def check(method: str, headers: Headers, allowed: frozenset[str], scheme: str = "http") -> Problem | None:
    """Return the first reason to refuse a request, None for none."""
    return check_host(headers, allowed) or check_forwarded(headers) or check_origin(method, headers, scheme)
