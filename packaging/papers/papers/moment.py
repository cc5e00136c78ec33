"""The one time of a build: SOURCE_DATE_EPOCH, or the beginning of time, so that documents come out the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime


def built_at(environ: Mapping[str, str]) -> datetime:
    """When the package says it was made (https://reproducible-builds.org/specs/source-date-epoch/)."""
    return datetime.fromtimestamp(int(environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
