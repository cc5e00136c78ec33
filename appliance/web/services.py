"""What the handlers of the web room work with, wired together by its main."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flask import current_app

from appliance.archive.room import Archive
from appliance.clock import Clock

if TYPE_CHECKING:
    from appliance.web.metrics import RequestMetrics

EXTENSION = "appliance"


@dataclass(frozen=True, slots=True)
class Services:
    """One room's tools. Sizes are bytes.

    `allowed_hosts`: lower-case host names, without port, that a request may name. `spool`: where
    large answers are gathered. `archive_failed` is called once the archive must not be used on.
    """

    archive: Archive
    allowed_hosts: frozenset[str]
    runtime: Path
    spool: Path
    max_results: int
    max_body_bytes: int
    clock: Clock
    archive_failed: Callable[[], None]
    metrics: RequestMetrics


def services() -> Services:
    """Return the services of the application that handles this request."""
    return cast(Services, current_app.extensions[EXTENSION])
