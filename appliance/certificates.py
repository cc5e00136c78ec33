"""How long certificates last, read from their PEM files. Nothing is verified here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryptography import x509

MICROSECONDS = 1_000_000
DAY_SECONDS = 86_400
AUTHORITIES = "tls_ca"
REVOCATIONS = b"-----BEGIN X509 CRL-----"


def days_left(files: Mapping[str, Path], now: int) -> dict[str, float | None]:
    """Return, by the key it is configured under, the days each file is good for; `now` is microseconds since 1970.

    A chain is as good as its first certificate to end, a file of authorities (`..._ca`) as its last: an old one
    beside a new one does no harm; a revocation list (`..._crl`) until its next update. Below 0 after the end;
    None for a file that cannot be read.
    """
    found: dict[str, float | None] = {}
    for key, path in files.items():
        ends = ends_of(path)
        last = (max if key.endswith(AUTHORITIES) else min)(ends, default=None)
        found[key] = None if last is None else round((last - now / MICROSECONDS) / DAY_SECONDS, 2)
    return found


def ends_of(path: Path) -> list[float]:
    """Return when each certificate of a PEM file ends, in seconds since 1970, UTC; [] if none can be read.

    A file with revocation lists, one for each authority, ends when their next updates are due.
    """
    try:
        data = path.read_bytes()
        if REVOCATIONS in data:
            lists = [x509.load_pem_x509_crl(REVOCATIONS + one) for one in data.split(REVOCATIONS)[1:]]
            return [due.timestamp() for one in lists if (due := one.next_update_utc) is not None]
        return [one.not_valid_after_utc.timestamp() for one in x509.load_pem_x509_certificates(data)]
    except (OSError, ValueError):
        return []
