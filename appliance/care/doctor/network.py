"""Names, lines and clocks of the other side: what stands between this box and where it sends to."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from cryptography import x509

from appliance import tls
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Verdict, fault, ok, skipped, warning
from appliance.config import KafkaEntry, StowEntry

SECONDS = 5.0
DAY = 86_400.0
SOON_DAYS = 14.0
# HTTP's Date header has whole seconds.
RESOLUTION = 1.0
FAR_SECONDS, TOO_FAR_SECONDS = 5.0, 60.0


@dataclass(frozen=True, slots=True)
class Line:
    """A place that the configuration names. `files` are its TLS files' key by name, None for a line in the clear."""

    of: str
    host: str
    port: int
    owner: object = None
    prefix: str = ""
    is_tls: bool = False

    def __str__(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"


def lines(box: Box) -> list[Line]:
    """Return every place that the sinks and the report lead to."""
    found = [line for name, entry in box.settings.sync.sinks.items() if entry.active for line in _of_sink(name, entry)]
    mqtt = box.settings.mqtt
    if mqtt.host:
        found.append(Line("mqtt", mqtt.host, mqtt.port, mqtt, "mqtt", is_tls=True))
    return found


def _of_sink(name: str, entry: object) -> Iterator[Line]:
    prefix = f"sync.sinks.{name}"
    if isinstance(entry, StowEntry):
        target = urlsplit(entry.proxy or entry.url)
        is_tls = target.scheme == "https"
        port = target.port or (443 if is_tls else 80)
        # Through a proxy the handshake is the probe's own matter.
        yield Line(name, target.hostname or "", port, entry, prefix, is_tls and not entry.proxy)
    if isinstance(entry, KafkaEntry):
        for server in entry.bootstrap_servers:
            host, _, port_text = server.rpartition(":")
            yield Line(name, host.strip("[]"), int(port_text), entry, prefix, entry.security.endswith("SSL"))


def names(box: Box) -> Sequence[str]:
    """Name the hosts, each once; addresses need no name server."""
    return tuple(dict.fromkeys(line.host for line in lines(box) if not _is_address(line.host)))


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


def name(_box: Box, host: str) -> Verdict:
    """Resolve a name."""
    begun = time.monotonic()
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        mend = "check the name, /etc/resolv.conf, and that the name server answers (getent hosts NAME)"
        return fault(f"cannot be resolved: {error.strerror or error}", mend)
    seconds, addresses = time.monotonic() - begun, sorted({str(one[4][0]) for one in found})
    what = f"{', '.join(addresses)} in {seconds * 1000:.0f} ms"
    return ok(what) if seconds < 1 else warning(what, "the name server is slow: check /etc/resolv.conf")


def places(box: Box) -> Sequence[str]:
    """Name the places with the sink they are for."""
    return tuple(dict.fromkeys(f"{line.of} {line}" for line in lines(box)))


def line(box: Box, subject: str) -> Verdict:
    """Connect; where TLS is spoken, hold the certificate against our authorities and the name, and see its last day."""
    found = next(one for one in lines(box) if f"{one.of} {one}" == subject)
    try:
        with socket.create_connection((found.host, found.port), timeout=SECONDS) as connection:
            return _handshake(box, found, connection) if found.is_tls else _in_the_clear(found)
    except ssl.SSLCertVerificationError as error:
        mend = f"set {found.prefix}.tls_ca to the authority of its certificate, and use the name that is in it"
        return fault(f"its certificate is not trusted: {error.verify_message}", mend)
    except ssl.SSLError as error:
        return fault(
            f"no TLS: {error.reason or error}", "check the port, tls_certificate and tls_key, and TLS 1.2 there"
        )
    except OSError as error:
        what = error.strerror or str(error)
        return fault(f"cannot be reached: {what}", "check that it runs there, the address, the firewall and the line")


def _in_the_clear(found: Line) -> Verdict:
    if found.host == "localhost" or found.host.startswith("127.") or found.host == "::1":
        return ok("takes connections; in the clear, within this machine")
    return warning("takes connections, in the clear: images or records cross the network readable", "use TLS there")


def _handshake(box: Box, found: Line, connection: socket.socket) -> Verdict:
    files = {
        key: box.file(getattr(found.owner, key), f"{found.prefix}.{key}")
        for key in ("tls_certificate", "tls_key", "tls_ca")
    }
    context = tls.client_context(files["tls_certificate"], files["tls_key"], files["tls_ca"])
    with context.wrap_socket(connection, server_hostname=found.host) as secured:
        shown, version = secured.getpeercert(binary_form=True), secured.version()
    assert shown is not None
    ends = x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()
    days = (ends - box.clock.now() / 1e6) / DAY
    what = f"{version}, trusted, its certificate lasts {days:.0f} days"
    return ok(what) if days > SOON_DAYS else warning(what, "tell whoever runs it to renew it")


def offset(date: str, begun: float, ended: float) -> float | None:
    """Return how far our clock is ahead of an HTTP Date, in seconds; None for none.

    `begun` and `ended` are our own readings around the request, in seconds since 1970. What transport and the
    header's whole seconds leave open counts for nothing.
    """
    try:
        there = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    stamp = (there if there.tzinfo else there.replace(tzinfo=UTC)).timestamp()
    if begun - stamp - RESOLUTION > 0:
        return begun - stamp - RESOLUTION
    return min(0.0, ended - stamp)


def clock_against(date: str, begun: float, ended: float) -> Verdict:
    """Judge our clock by another's."""
    found = offset(date, begun, ended)
    if found is None:
        return skipped("it tells no time")
    if abs(found) <= FAR_SECONDS:
        return ok("its clock and ours agree within a few seconds")
    way = "ahead of" if found > 0 else "behind"
    mend = "synchronise both clocks: timedatectl, chronyc tracking"
    judge = fault if abs(found) > TOO_FAR_SECONDS else warning
    return judge(f"our clock is {abs(found):.0f} s {way} its clock ({_moment(ended)} here)", mend)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds")
