"""The two doors of the receiver: TCP for tokens, the proxy's socket for certificates too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from appliance.central.identity import Claim, Unidentified, identify
from appliance.central.registry import Registry
from appliance.http.proxies import believe

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

# No header can be called this: those of a request begin with HTTP_.
PROXIED: Final = "appliance.proxied"


class Door:
    """Marks every request by the way it came; of the proxy it takes the sender's address."""

    def __init__(self, application: WSGIApplication, *, proxied: bool) -> None:
        """Wrap the application for one of the doors."""
        self._application = application
        self._proxied = proxied

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        environ[PROXIED] = self._proxied
        if self._proxied:
            environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = "", "0"
            believe(environ)
        return self._application(environ, start_response)


def claim_of(environ: Mapping[str, Any]) -> Claim:
    """Return what a request that came through a door says of its sender."""
    return Claim.read(lambda name: str(environ.get(f"HTTP_{name}", "")), proxied=environ.get(PROXIED) is True)


def knows(registry: Registry, *, proxied: bool) -> Callable[[Mapping[str, str]], bool]:
    """Return what says by a request's headers whether a site sends it, before its body is taken."""

    def known(headers: Mapping[str, str]) -> bool:
        try:
            identify(Claim.read(lambda name: headers.get(name, ""), proxied=proxied), registry)
        except Unidentified:
            return False
        return True

    return known
