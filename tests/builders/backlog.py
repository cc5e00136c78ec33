"""A backlog: many rows of an outbox without the objects behind them, put there by the archive's own statements."""

from __future__ import annotations

import json

from appliance.archive.database import Connection
from appliance.archive.events import INSERT_EVENT
from appliance.archive.room import Archive
from appliance.archive.routing import queue, routes
from appliance.model.routes import Subject

ROOT = "1.2.826.0.1.3680043.10.2"
PER_SERIES = 100
PER_TRANSACTION = 5000
SUBJECT = Subject(
    modality="CT", ae_title="CT1", sop_class_uid="1.2.840.10008.5.1.4.1.1.2", study_date="20240131", received_at=0
)
FILLING = {f"attribute_{number:02}": "x" * 20 for number in range(25)}


def add_rows(archive: Archive, count: int, per_series: int = PER_SERIES) -> None:
    """Queue `count` image records of about 1 KB for every sink, `per_series` to a series."""
    for start in range(0, count, PER_TRANSACTION):
        with archive.database.write() as cx:
            for number in range(start, min(start + PER_TRANSACTION, count)):
                _add(cx, archive.settings.tenant, number, per_series, archive.clock.now())


def _add(cx: Connection, tenant: str, number: int, per_series: int, now: int) -> None:
    study = f"{ROOT}.{number // per_series}"
    series, sop = f"{study}.1", f"{study}.1.{number}"
    uids = {"study_uid": study, "series_uid": series, "sop_uid": sop}
    revision = number + 1
    values = {
        **uids, "tenant": tenant, "kind": "image", "version_id": None, "message_key": sop,
        "payload": json.dumps({**uids, "tenant_id": tenant, "revision": revision, **FILLING}),
        "revision": revision, "trace_id": f"trace-{number}", "traceparent": "", "created_at": now,
    }  # fmt: skip
    event_id = cx.execute(INSERT_EVENT, values).fetchall()[0][0]
    queue(cx, routes(cx), event_id, "image", f"{study}/{series}", SUBJECT, now)
