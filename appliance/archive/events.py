"""Events: what every sink is told of a new current version, written beside the index rows (invariant 2).

Three kinds per object: "state" (the series as it stands now), "image" (the instance's attributes)
and "object" (the pixels; its record is what a receiver will say it stored); a fourth, "transcode", of an
object that cannot be shown. The payloads are made
here, from the rows just written, so that what a sink is told is what the index holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.archive.database import Connection
from appliance.archive.routing import queue, routes
from appliance.archive.settings import ArchiveSettings
from appliance.model.cloud import DELETED, Context, image_record, state_record, store_record, transcode_record
from appliance.model.records import Value
from appliance.model.routes import TRANSCODE, Subject

Values = Mapping[str, Any]

INSERT_EVENT = """
INSERT INTO event (tenant, kind, study_uid, series_uid, sop_uid, version_id, message_key, payload,
  revision, trace_id, traceparent, created_at)
VALUES (:tenant, :kind, :study_uid, :series_uid, :sop_uid, :version_id, :message_key, :payload,
  :revision, :trace_id, :traceparent, :created_at) RETURNING id
"""

SERIES = "SELECT * FROM series WHERE tenant = ? AND study_uid = ? AND series_uid = ?"
STUDY = "SELECT * FROM study WHERE tenant = ? AND study_uid = ?"

UNTOUCHED_STATE = """
SELECT e.id FROM (SELECT max(id) AS id FROM event WHERE tenant = ? AND study_uid = ? AND series_uid = ?
  AND kind = 'state') e
WHERE e.id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.event_id = e.id AND d.state <> 'pending')
"""

RENEW_STATE = """
UPDATE event SET payload = :payload, message_key = :message_key, revision = :revision, trace_id = :trace_id,
  traceparent = :traceparent WHERE id = :id
"""

# What failed was the old record. It keeps its time: a growing series must not undo the backoff.
RENEW_DELIVERY = "UPDATE delivery SET attempts = 0, reason = NULL WHERE event_id = ? AND attempts > 0"


@dataclass(frozen=True, slots=True)
class Ending:
    """The rows of a version that leaves its series, as they are or were."""

    version: Values
    series: Values
    study: Values


class Announcer:
    """Makes the events of one box."""

    def __init__(self, settings: ArchiveSettings) -> None:
        """Take tenant, site and time zone from the settings."""
        self._settings = settings

    def announce(self, cx: Connection, version_id: int, revision: int, traceparent: str, now: int) -> tuple[str, ...]:
        """Add the events and deliveries of a current version; return marks of what had to be cut or made up.

        A state event that no sink has been handed yet is brought up to date instead of followed
        by another, so a growing series costs one state record per delivery, not one per image.
        """
        version, instance, series, study = _rows(cx, version_id)
        context = self._context(revision, now)
        records = {
            "state": state_record(context, study, series),
            "image": image_record(context, study, series, instance, version),
            "object": store_record(context, study, instance, version),
        }
        shared = _shared(context, series, version["trace_id"], traceparent)
        subject = _subject(study, series, version)
        chosen = routes(cx)
        own: dict[str, Value] = {"sop_uid": version["sop_uid"], "version_id": version_id}
        nothing: dict[str, Value] = {"sop_uid": None, "version_id": None}
        for kind, record in records.items():
            message = {"kind": kind, "payload": record.text, "message_key": record.key}
            put = _put_state if kind == "state" else _put
            event_id = put(cx, {**shared, **(nothing if kind == "state" else own), **message})
            series_key = f"{version['study_uid']}/{version['series_uid']}"
            queue(cx, chosen, event_id, kind, series_key, subject, now)
        return tuple(dict.fromkeys(mark for record in records.values() for mark in record.marks))

    def announce_series(
        self, cx: Connection, version_id: int, left: tuple[str, str], revision: int, traceparent: str, now: int
    ) -> None:
        """Add a state event for the series that a corrected instance has left, if any of it remains.

        Of a series that is empty now the sinks hear nothing: nobody has deleted it.
        """
        keys = (self._settings.tenant, *left)
        series = cx.execute(SERIES, keys).fetchone()
        if series is None:
            return
        study = _one(cx, "SELECT * FROM study WHERE tenant = ? AND study_uid = ?", *keys[:2])
        version = _one(cx, "SELECT * FROM version WHERE id = ?", version_id)
        self._announce_state(cx, Ending(version, dict(series), study), revision, traceparent, now)

    def announce_deletion(self, cx: Connection, version_id: int, revision: int, now: int) -> Ending:
        """Add an image event that says DELETED of a current version whose rows are still there.

        Returns the rows, for `announce_what_is_left` once they are gone.
        """
        version, instance, series, study = _rows(cx, version_id)
        context = self._context(revision, now)
        record = image_record(context, study, series, instance, version, DELETED)
        message = {"kind": "image", "payload": record.text, "message_key": record.key}
        own: dict[str, Value] = {"sop_uid": version["sop_uid"], "version_id": version_id}
        event_id = _put(cx, {**_shared(context, series, version["trace_id"], ""), **own, **message})
        series_key = f"{version['study_uid']}/{version['series_uid']}"
        queue(cx, routes(cx), event_id, "image", series_key, _subject(study, series, version), now)
        return Ending(version, series, study)

    def announce_what_is_left(self, cx: Connection, ending: Ending, revision: int, now: int) -> None:
        """Add a state event for a series that instances were deleted from; of one that is gone it counts none."""
        keys = (self._settings.tenant, ending.version["study_uid"], ending.version["series_uid"])
        series, study = cx.execute(SERIES, keys).fetchone(), cx.execute(STUDY, keys[:2]).fetchone()
        left = Ending(
            ending.version,
            {**ending.series, "instance_count": 0} if series is None else dict(series),
            ending.study if study is None else dict(study),
        )
        self._announce_state(cx, left, revision, "", now)

    def _announce_state(self, cx: Connection, about: Ending, revision: int, traceparent: str, now: int) -> None:
        context, series = self._context(revision, now), about.series
        record = state_record(context, about.study, series)
        message = {"kind": "state", "sop_uid": None, "version_id": None, "payload": record.text}
        shared = _shared(context, series, about.version["trace_id"], traceparent)
        event_id = _put_state(cx, {**shared, **message, "message_key": record.key})
        series_key = f"{series['study_uid']}/{series['series_uid']}"
        queue(cx, routes(cx), event_id, "state", series_key, _subject(about.study, series, about.version), now)

    def announce_transcode(self, cx: Connection, version_id: int, transcode: Values, now: int) -> None:
        """Add an event that tells of an object whose pixels no decoder could read, where a sink takes it."""
        chosen = [route for route in routes(cx) if TRANSCODE in route.kinds]
        if not chosen:
            return
        version, _, series, study = _rows(cx, version_id)
        context = self._context(0, now)
        record = transcode_record(context, version, transcode)
        values = {
            **_shared(context, series, version["trace_id"], ""), "kind": TRANSCODE, "sop_uid": version["sop_uid"],
            "version_id": version_id, "message_key": record.key, "payload": record.text,
        }  # fmt: skip
        event_id = _put(cx, values)
        series_key = f"{version['study_uid']}/{version['series_uid']}"
        queue(cx, chosen, event_id, TRANSCODE, series_key, _subject(study, series, version), now)

    def _context(self, revision: int, now: int) -> Context:
        settings = self._settings
        return Context(settings.tenant, settings.site, settings.timezone, revision, now)


def _shared(context: Context, series: Values, trace_id: Value, traceparent: str) -> dict[str, Value]:
    return {
        "tenant": context.tenant,
        "study_uid": series["study_uid"],
        "series_uid": series["series_uid"],
        "revision": context.revision,
        "trace_id": trace_id,
        "traceparent": traceparent,
        "created_at": context.now,
    }


def _subject(study: Values, series: Values, version: Values) -> Subject:
    return Subject(
        modality=series["modality"] or "",
        ae_title=version["source_ae"],
        sop_class_uid=version["sop_class_uid"],
        study_date=study["cloud_study_date"],
        received_at=study["received_at"],
    )


def _rows(cx: Connection, version_id: int) -> tuple[Values, Values, Values, Values]:
    version = _one(cx, "SELECT * FROM version WHERE id = ?", version_id)
    tenant, study, series, sop = (version[n] for n in ("tenant", "study_uid", "series_uid", "sop_uid"))
    return (
        version,
        _one(cx, "SELECT * FROM instance WHERE tenant = ? AND sop_uid = ?", tenant, sop),
        _one(cx, SERIES, tenant, study, series),
        _one(cx, "SELECT * FROM study WHERE tenant = ? AND study_uid = ?", tenant, study),
    )


def _one(cx: Connection, statement: str, *values: Value) -> Values:
    return dict(cx.execute(statement, values).fetchone())


def _put_state(cx: Connection, values: Values) -> int:
    found = cx.execute(UNTOUCHED_STATE, [values[n] for n in ("tenant", "study_uid", "series_uid")]).fetchone()
    if found is None:
        return _put(cx, values)
    cx.execute(RENEW_STATE, {**values, "id": found[0]})
    cx.execute(RENEW_DELIVERY, (found[0],))
    return int(found[0])


def _put(cx: Connection, values: Values) -> int:
    return int(cx.execute(INSERT_EVENT, values).fetchall()[0][0])
