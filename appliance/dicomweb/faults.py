"""What can come between a client and a DICOMweb service, sorted by what is known of the request's fate."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator

from urllib3 import exceptions as http

from appliance.errors import PeerError


class NotReached(PeerError):
    """The request was never begun: no name, no route, refused, no connection in time."""

    retryable = True


class NoAnswer(PeerError):
    """The connection broke or fell silent after the request began: it may have been carried out.

    `silent`: nothing came for too long; otherwise the connection was closed.
    """

    retryable = True

    def __init__(self, message: str, *, hint: str = "", silent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.silent = silent


class Stopped(PeerError):
    """We ended the request ourselves, by a wish to stop. It may have been carried out."""

    retryable = True

    def __init__(self, message: str = "the room is stopping", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)


class NotTrusted(PeerError):
    """TLS or a proxy does not let us through; an administrator must mend it."""


# Alerts and refusals that pass by themselves: everything else TLS complains of is a matter of settings.
_PASSING = frozenset({
    "UNEXPECTED_EOF_WHILE_READING",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    "SSLV3_ALERT_BAD_RECORD_MAC",
    "TLSV1_ALERT_INTERNAL_ERROR",
    "TLSV1_ALERT_USER_CANCELLED",
})  # fmt: skip
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
_PROXY_PASSES = frozenset({"408", "429", "500", "502", "503", "504"})


def sorted_fault(error: BaseException, host: str) -> PeerError:
    """Return what an error of the HTTP library means. `host` is named in the message, nothing else."""
    causes = list(_causes(error))
    for rule in (_tls, _proxy, _connecting, _silence):
        found = rule(causes, host)
        if found is not None:
            return found
    return NoAnswer(f"{host} closed the connection before it answered", hint="check the line and the service")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything behind it, once each."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        behind = (getattr(one, "reason", None), *one.args, one.__cause__, one.__context__)
        waiting += [cause for cause in behind if isinstance(cause, BaseException)]


def _tls(causes: list[BaseException], host: str) -> PeerError | None:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "set tls_ca to the authority of its certificate, and the url to the name in it"
            return NotTrusted(f"the certificate of {host} is not trusted: {cause.verify_message}", hint=hint)
        reason = cause.reason if isinstance(cause, ssl.SSLError) else ""
        if reason and reason not in _PASSING:
            hint = "check tls_certificate and tls_key, and that the service speaks TLS 1.2 or later"
            return NotTrusted(f"{host} and this box do not agree on TLS ({reason})", hint=hint)
    return None


def _proxy(causes: list[BaseException], host: str) -> PeerError | None:
    for cause in causes:
        found = _TUNNEL.search(str(cause))
        if found is not None and found[1] in _PROXY_PASSES:
            return NotReached(f"the proxy cannot reach {host} ({found[1]})", hint="check the service")
        if found is not None:
            hint = "let the proxy pass this box without a login, or correct the proxy setting"
            return NotTrusted(f"the proxy refuses the connection to {host} ({found[1]})", hint=hint)
    if any(isinstance(cause, http.ProxyError) for cause in causes):
        return NotReached("the proxy cannot be reached", hint="check the proxy setting and the line")
    return None


def _connecting(causes: list[BaseException], host: str) -> PeerError | None:
    for cause in causes:
        if isinstance(cause, http.NameResolutionError | socket.gaierror):
            return NotReached(f"the name of {host} cannot be resolved", hint="check the url and the name server")
        if isinstance(cause, http.ConnectTimeoutError) and not isinstance(cause, http.NewConnectionError):
            return NotReached(f"{host} did not take the connection in time", hint="check the line and the firewall")
    if any(isinstance(cause, http.NewConnectionError) for cause in causes):
        refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
        what = "refuses connections" if refused else "cannot be reached"
        return NotReached(f"{host} {what}", hint="check that the service runs, and the line")
    return None


def _silence(causes: list[BaseException], host: str) -> PeerError | None:
    if any(isinstance(cause, TimeoutError | http.TimeoutError) for cause in causes):
        return NoAnswer(f"{host} fell silent", hint="check the service and the line", silent=True)
    return None
