"""Deliveries as the verbs print them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from appliance.archive.room import Archive
from appliance.cli.installation import Installation
from appliance.cli.output import timed
from appliance.errors import NotFound
from appliance.model.attributes import Level
from appliance.model.matching import Query

COLUMNS = ("event_id", "sink", "kind", "state", "attempts", "study_uid", "sop_uid", "reason")
PAGE = 500


def event_facts(archive: Archive, event_id: int) -> dict[str, Any]:
    """One event with its record (`payload`, patient data included) and its deliveries. Raises NotFound."""
    event, deliveries = archive.outbox.show(event_id)
    facts = timed(event)
    facts["payload"] = json.loads(facts["payload"]) if facts["payload"] else None
    return {**facts, "deliveries": [timed(row) for row in deliveries]}


@contextmanager
def outbox_of(
    installation: Installation, sink: str = "", event_ids: Iterable[int] = (), study_uid: str = ""
) -> Iterator[Archive]:
    """The archive, once everything a verb names is known to be there. Raises NotFound before anything is changed."""
    with installation.archive() as archive:
        known = sorted({*archive.outbox.stats(), *installation.settings.sync.sinks})
        if sink and sink not in known:
            raise NotFound(f"there is no sink {sink}", hint=f"the sinks are: {', '.join(known)}")
        for event_id in event_ids:
            archive.outbox.show(event_id)
        if study_uid and not archive.search.count(Query(Level.STUDY, study_uid=study_uid)):
            raise NotFound(f"there is no study {study_uid}", hint="check its Study Instance UID")
        yield archive


def dead_rows(archive: Archive, sink: str) -> Iterator[dict[str, Any]]:
    """Every dead delivery of a sink ("" for all sinks), oldest event first, read page by page."""
    offset = 0
    while page := archive.outbox.list(sink=sink, state="dead", limit=PAGE, offset=offset):
        yield from (timed(row) for row in page)
        offset += len(page)
