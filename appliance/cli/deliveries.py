"""Deliveries as the verbs print them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from appliance.archive.room import Archive
from appliance.cli.output import timed

COLUMNS = ("event_id", "sink", "kind", "state", "attempts", "study_uid", "sop_uid", "reason")
PAGE = 500


def event_facts(archive: Archive, event_id: int) -> dict[str, Any]:
    """One event with its record (`payload`, patient data included) and its deliveries. Raises NotFound."""
    event, deliveries = archive.outbox.show(event_id)
    facts = timed(event)
    facts["payload"] = json.loads(facts["payload"]) if facts["payload"] else None
    return {**facts, "deliveries": [timed(row) for row in deliveries]}


def dead_rows(archive: Archive, sink: str) -> Iterator[dict[str, Any]]:
    """Every dead delivery of a sink ("" for all sinks), oldest event first, read page by page."""
    offset = 0
    while page := archive.outbox.list(sink=sink, state="dead", limit=PAGE, offset=offset):
        yield from (timed(row) for row in page)
        offset += len(page)
