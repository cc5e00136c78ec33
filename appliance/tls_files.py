"""A server's TLS files, read again when they change: new handshakes get the new certificate, old connections stay."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import ConfigurationError
from appliance.logs import get_logger
from appliance.tls import server_context

# Looking at four files costs microseconds; a flood of handshakes need not do it each time.
LOOK_SECONDS = 1.0

Stamp = tuple[tuple[int, ...] | None, ...]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The PEM files of one door. With `ca`, clients must show a certificate of it that `crl` does not list."""

    certificate: Path
    key: Path
    ca: Path | None = None
    crl: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files. Raises ConfigurationError."""
        return server_context(
            self.certificate, self.key, self.ca, require_client=self.ca is not None, crl=self.crl if self.ca else None
        )

    def stamp(self) -> Stamp:
        """Return what changes when a file is replaced, also behind a link; None for one that is missing."""
        return tuple(_stamp(path) for path in (self.certificate, self.key, self.ca, self.crl) if path is not None)


class ServerTls:
    """The context for the next handshake. Safe to use from many threads."""

    def __init__(self, files: TlsFiles, monotonic: Callable[[], float]) -> None:
        """Read the files for the first time. Raises ConfigurationError."""
        self._files = files
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._stamp = files.stamp()
        self._refused: Stamp | None = None
        self._context = files.context()
        self._looked_at = monotonic()

    def context(self) -> ssl.SSLContext:
        """Return the context as the files have it now. Files that cannot be used leave the old one, and a log line.

        Key and certificate that do not fit together yet (one of them has been replaced) are such files. They are
        tried again at every look: what is wrong may be a mode, or that no file descriptor is left.
        """
        with self._lock:
            now = self._monotonic()
            if now - self._looked_at >= LOOK_SECONDS:
                self._looked_at = now
                self._look()
            return self._context

    def _look(self) -> None:
        stamp = self._files.stamp()
        if stamp == self._stamp:
            return
        try:
            self._context = self._files.context()
        except ConfigurationError as error:
            if stamp != self._refused:
                log.error("new certificate files refused, the old ones serve on", reason=error.message, hint=error.hint)
            self._refused = stamp
        else:
            self._stamp, self._refused = stamp, None
            log.info("certificate files read again", certificate=str(self._files.certificate))


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    # The time of change also tells of another mode or owner, and of a time of modification that was set back.
    return facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size
