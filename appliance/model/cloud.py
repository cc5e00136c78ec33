"""Cloud records: the messages by which the centre learns of studies, images, objects, failed conversions and accesses.

Pure: index rows in, one JSON object out. Which fields there are stands in model.cloud_fields.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

from appliance.model.cloud_fields import (
    ACCESS_FIELDS,
    IMAGE_FIELDS,
    STATE_FIELDS,
    STORE_FIELDS,
    TRANSCODE_FIELDS,
    Field,
)
from appliance.model.cloud_values import shorten, write_value
from appliance.model.moments import normalise_date
from appliance.model.records import Value
from appliance.model.uid import uid_hash

STATE_TOPIC: Final = "dicom_state_queue"
IMAGE_TOPIC: Final = "dicom_image_queue"
LOG_TOPIC: Final = "log_queue"
STORAGE_TOPIC: Final = "storage_queue"
ACCESS_TOPIC: Final = "webapi_access_queue"
TRANSCODE_TOPIC: Final = "dicom_transcode_queue"
TOPICS: Final = (STATE_TOPIC, IMAGE_TOPIC, LOG_TOPIC, STORAGE_TOPIC, TRANSCODE_TOPIC, ACCESS_TOPIC)

STAND_IN: Final = "stand-in"

# What an image record says of its instance.
ACTIVE: Final = "ACTIVE"
DELETED: Final = "DELETED"

# Others may carry credentials or, as Referer does, a query with patient data.
SAFE_HEADERS: Final = frozenset(
    {"accept", "content-length", "content-type", "host", "traceparent", "user-agent", "x-request-id"}
)
# Together they fit the field whatever stands in them: what is cut off later would be no JSON any more.
LONGEST_HEADER: Final = 256


class Row(Protocol):
    """An index row, or anything else that gives a value for a column name."""

    def __getitem__(self, column: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a record says that no index row does.

    `timezone` is an IANA name, the zone of the record's naive times. `now` is the time of the
    update in microseconds since 1970, UTC. `revision` is the box's, monotonic.
    """

    tenant: str
    site: str
    timezone: str
    revision: int
    now: int


@dataclass(frozen=True, slots=True)
class CloudRecord:
    """One message: `value` in the order it is written, `key` the Kafka key.

    `marks` say which fields do not carry what the header says, and why: "patient_id shortened".
    """

    key: str
    value: Mapping[str, Value]
    marks: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The value as one line of JSON text, not escaped to ASCII."""
        return json.dumps(dict(self.value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def message_key(kind: str, context: Context, study: Row, series: Row, instance: Row | None = None) -> str:
    """Return the Kafka key of a "state" or "image" record: MD5, in hexadecimal, of its identifiers.

    They are joined by "_" as the record carries them: tenant, patient, study, series and, of an
    image, the instance.
    """
    identifiers = [context.tenant, study["cloud_patient_id"], series["study_uid"], series["series_uid"]]
    if kind == "image" and instance is not None:
        identifiers.append(instance["sop_uid"])
    return _key([shorten(str(identifier), 64) for identifier in identifiers])


def _key(identifiers: list[str]) -> str:
    # The contract names MD5 as a partitioner, not as a safeguard.
    return hashlib.md5("_".join(identifiers).encode(), usedforsecurity=False).hexdigest()


def _own_facts(context: Context, study_uid: str, series_uid: str, status: str = ACTIVE) -> dict[str, Value]:
    return {
        "tenant": context.tenant,
        "site": context.site,
        "revision": context.revision,
        "updated_at": context.now,
        "study_uid_hash": uid_hash(study_uid),
        "series_uid_hash": uid_hash(series_uid),
        "image_status": status,
        "transfer_status": "NoNeedTransfer",
        # The centre knows where the pixels are; a path on this box would mean nothing there.
        "pixel_data_location": None,
        "thumbnail_location": None,
    }


def _record(key: str, fields: tuple[Field, ...], facts: Mapping[str, Row], timezone: str) -> CloudRecord:
    value: dict[str, Value] = {}
    marks = _stand_ins(facts["study"]) if "study" in facts else []
    for field in fields:
        table, _, column = field.source.partition(".")
        value[field.name], mark = write_value(facts[table][column], field, timezone)
        if mark:
            marks.append(f"{field.name} {mark}")
    return CloudRecord(key, MappingProxyType(value), tuple(marks))


def _stand_ins(study: Row) -> list[str]:
    marks = []
    if not study["patient_id"]:
        marks.append(f"patient_id {STAND_IN}")
    if normalise_date(study["study_date"] or "") != study["cloud_study_date"]:
        marks.append(f"study_date {STAND_IN}")
    return marks


def state_record(context: Context, study: Row, series: Row) -> CloudRecord:
    """Return the record of one series and its study, from their index rows."""
    own = _own_facts(context, series["study_uid"], series["series_uid"])
    facts: dict[str, Row] = {"context": own, "study": study, "series": series}
    return _record(message_key("state", context, study, series), STATE_FIELDS, facts, context.timezone)


def image_record(
    context: Context, study: Row, series: Row, instance: Row, version: Row, status: str = ACTIVE
) -> CloudRecord:
    """Return the record of one instance, from its rows and those of its study, series and version.

    `status` DELETED says that somebody has deleted it on purpose.
    """
    own = _own_facts(context, series["study_uid"], series["series_uid"], status)
    facts = {"context": own, "study": study, "series": series, "instance": instance, "version": version}
    key = message_key("image", context, study, series, instance)
    return _record(key, IMAGE_FIELDS, facts, context.timezone)


def store_record(context: Context, study: Row, instance: Row, version: Row) -> CloudRecord:
    """Return the record of one stored object; its key is the trace id."""
    own = _own_facts(context, version["study_uid"], version["series_uid"])
    facts = {"context": own, "study": study, "instance": instance, "version": version}
    return _record(version["trace_id"], STORE_FIELDS, facts, context.timezone)


def transcode_record(context: Context, version: Row, transcode: Row) -> CloudRecord:
    """Return the record of one object whose pixels no decoder of the box could read; its key is the trace id."""
    own = _own_facts(context, version["study_uid"], version["series_uid"])
    facts: dict[str, Row] = {"context": own, "version": version, "transcode": transcode}
    return _record(version["trace_id"], TRANSCODE_FIELDS, facts, context.timezone)


def access_record(context: Context, access: Mapping[str, Value], headers: Mapping[str, str]) -> CloudRecord:
    """Return the record of one HTTP request; its key is the request id.

    `access` has a value for the sources of ACCESS_FIELDS, `timestamp` in microseconds since 1970.
    The query is left out and only harmless headers are kept, because either can name a patient.
    """
    kept = {name.lower(): text[:LONGEST_HEADER] for name, text in headers.items() if name.lower() in SAFE_HEADERS}
    row = {
        **access,
        "path": str(access["path"]).partition("?")[0],
        "query_params": "",
        "headers": json.dumps(kept, ensure_ascii=False),
    }
    facts: dict[str, Row] = {"context": _own_facts(context, "", ""), "access": row}
    return _record(str(access["request_id"]), ACCESS_FIELDS, facts, context.timezone)
