"""Problem details (RFC 9457) and the one table from the appliance's errors to HTTP statuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from appliance.errors import (
    ApplianceError,
    ArchiveError,
    ArchiveFailed,
    ConfigurationError,
    DiskFull,
    NotFound,
    PeerError,
    SchemaMismatch,
    TooLarge,
    Unacceptable,
)

PROBLEM_JSON: Final = "application/problem+json"

# The first class that fits decides: the narrow ones stand first.
STATUSES: Final[tuple[tuple[type[ApplianceError], int], ...]] = (
    (NotFound, 404),
    (TooLarge, 413),
    (Unacceptable, 409),
    (DiskFull, 507),
    (ArchiveFailed, 503),
    (SchemaMismatch, 503),
    (PeerError, 400),
    (ConfigurationError, 500),
    (ArchiveError, 503),
    (ApplianceError, 500),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with one request, for a person and for a program. It never holds patient data."""

    status: int
    detail: str = ""
    hint: str = ""

    def document(self) -> dict[str, str | int]:
        """Return the JSON object; `type` is about:blank, so the title is the status's own phrase."""
        document: dict[str, str | int] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
        }
        texts: Mapping[str, str] = {"detail": self.detail, "hint": self.hint}
        return document | {name: text for name, text in texts.items() if text}


def status_of(error: ApplianceError) -> int:
    """Return the HTTP status of an error of the tree."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def problem_of(error: ApplianceError) -> Problem:
    """Return the problem that tells a client about `error`."""
    return Problem(status_of(error), error.message, error.hint)
