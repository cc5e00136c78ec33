"""Where rows and password may go: what a frontend's redirect points to, and what is let pass of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from appliance.central.targets import Misdirected


@dataclass(frozen=True, slots=True)
class Hop:
    """A backend: `url` to send to, without any credentials, and `host` (with its port) for messages."""

    url: str
    host: str


@dataclass(frozen=True, slots=True)
class Backends:
    """The backends of one cluster. `named` are hosts or host:port; empty means all of them.

    `secure`: they must speak TLS, because the frontend does.
    """

    named: Collection[str]
    secure: bool

    def redirected(self, asked: str, location: str) -> Hop:
        """Return where an answer to `asked` sends us. Raises Misdirected where rows must not go."""
        parts = _parts(asked, location)
        if parts is None:
            hint = "central.doris.url must be the root of a frontend"
            raise Misdirected("the Doris frontend points to something that is no backend", hint=hint)
        host = _host(parts)
        if self.named and not self._names(parts):
            hint = "name it in central.doris.backends, or correct the address that it has in Doris"
            raise Misdirected(f"the Doris frontend points to {host}, which is not allowed", hint=hint)
        if self.secure and parts.scheme != "https":
            hint = "switch TLS on at the backends, or set central.doris.allow_plain_backends inside a closed network"
            raise Misdirected(f"the Doris backend {host} would be spoken to without TLS", hint=hint)
        return Hop(_without_user(parts), host)

    def error_log(self, url: object, latest: str) -> str:
        """Return where an error log may be read, "" where it may not: `latest` is the host just spoken to."""
        parts = _parts("", url) if isinstance(url, str) else None
        if parts is None or (self.secure and parts.scheme != "https"):  # it quotes rows
            return ""
        return _without_user(parts) if _host(parts) == latest or self._names(parts) else ""

    def _names(self, parts: SplitResult) -> bool:
        return bool({name.lower() for name in self.named} & {_host(parts), (parts.hostname or "").lower()})


def _parts(base: str, url: str) -> SplitResult | None:
    try:
        parts = urlsplit(urljoin(base, url))
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2].lower()


def _without_user(parts: SplitResult) -> str:
    return parts._replace(netloc=_host(parts), fragment="").geturl()
