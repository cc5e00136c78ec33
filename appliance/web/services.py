"""What the handlers of the web room work with, wired together by its main."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flask import current_app

from appliance.access.book import Book
from appliance.archive.room import Archive
from appliance.clock import Clock
from appliance.codec.decoding import Decoding
from appliance.web.ohif_files import Viewer
from appliance.web.prepared_frames import PreparedFrames
from appliance.web.recalling import Recalling
from appliance.web.series_metadata import SeriesMetadata
from appliance.web.views import Views

if TYPE_CHECKING:
    from appliance.web.access_lines import AccessLines
    from appliance.web.gate import Gate
    from appliance.web.metrics import RequestMetrics

EXTENSION = "appliance"


@dataclass(frozen=True, slots=True)
class Services:
    """One room's tools. Sizes are bytes.

    `allowed_hosts`: lower-case host names, without port, that a request may name. `spool`: where
    large answers are gathered. `archive_failed` is called once the archive must not be used on. `ohif`: the
    viewer of the big screens, None where it is not installed. `codec` draws and decodes in child processes;
    `frames` are decoded through it, and kept. `recalling` brings evicted objects back, `views` notes what is
    read. `book`: accounts and sessions, None where there are no logins.
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
    series_metadata: SeriesMetadata
    gate: Gate
    book: Book | None
    access_lines: AccessLines
    codec: Decoding
    frames: PreparedFrames
    recalling: Recalling
    views: Views
    ohif: Viewer | None = None


def services() -> Services:
    """Return the services of the application that handles this request."""
    return cast(Services, current_app.extensions[EXTENSION])
