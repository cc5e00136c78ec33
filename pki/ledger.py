"""The register: every serial number given out and every revocation, one JSON line each, never rewritten.

A serial is written down before its certificate leaves the program, so a certificate that exists can be
revoked even when its files are lost. A line that a crash tore is passed over: what it was about never happened.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from pki import disk
from pki.authority import Revoked
from pki.errors import Damaged

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate that was given out."""

    serial: int
    lineage: str
    subject: str
    names: tuple[str, ...]
    not_after: dt.datetime
    sha256: str


class Ledger:
    """The register in one file."""

    def __init__(self, path: Path) -> None:
        """Take the file; it is made by the first line."""
        self._path = path

    def issued(self, lineage: str, certificate: x509.Certificate, names: list[str], *, now: dt.datetime) -> None:
        """Write down a certificate; durable on return. May raise OSError."""
        facts = {
            "lineage": lineage,
            "subject": certificate.subject.rfc4514_string(),
            "names": names,
            "not_before": certificate.not_valid_before_utc.isoformat(),
            "not_after": certificate.not_valid_after_utc.isoformat(),
            "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        }
        self._write("issued", certificate.serial_number, now, facts)

    def revoked(self, one: Revoked) -> None:
        """Write down a revocation; durable on return. May raise OSError."""
        self._write("revoked", one.serial, one.at, {"reason": one.reason})

    def certificates(self) -> list[Entry]:
        """Return every certificate that was given out, oldest first. Raises Damaged."""
        return [self._read(_entry, line) for line in self._lines("issued")]

    def revocations(self) -> dict[int, Revoked]:
        """Return every revocation by serial; the first of a serial stands. Raises Damaged."""
        found: dict[int, Revoked] = {}
        for line in self._lines("revoked"):
            one = self._read(_revocation, line)
            found.setdefault(one.serial, one)
        return found

    def _read(self, reader: Callable[[Mapping[str, Any]], T], line: Mapping[str, Any]) -> T:
        try:
            return reader(line)
        except (KeyError, TypeError, ValueError) as error:
            message = f"{self._path} has a line that cannot be used ({error}): {json.dumps(line)}"
            raise Damaged(message, hint="mend the line by hand, or restore the file from the backup") from None

    def _write(self, event: str, serial: int, at: dt.datetime, facts: Mapping[str, object]) -> None:
        line = {"event": event, "serial": f"{serial:040x}", "at": at.isoformat(), **facts}
        disk.append(self._path, json.dumps(line, ensure_ascii=False))

    def _lines(self, event: str) -> Iterator[dict[str, Any]]:
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        for line in text.split("\n"):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict) and found.get("event") == event:
                yield found


def _entry(line: Mapping[str, Any]) -> Entry:
    return Entry(
        int(line["serial"], 16),
        line["lineage"],
        line["subject"],
        tuple(line["names"]),
        dt.datetime.fromisoformat(line["not_after"]),
        line["sha256"],
    )


def _revocation(line: Mapping[str, Any]) -> Revoked:
    reason = x509.ReasonFlags[line["reason"]].name
    return Revoked(int(line["serial"], 16), dt.datetime.fromisoformat(line["at"]), reason)
