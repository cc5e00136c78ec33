"""From an outbox event to the contract records it is published as."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from appliance.archive.layout import instance_path
from appliance.archive.outbox import Delivery
from appliance.model.cloud import ACCESS_TOPIC, IMAGE_TOPIC, LOG_TOPIC, STATE_TOPIC, STORAGE_TOPIC, TRANSCODE_TOPIC
from appliance.model.routes import ACCESS, TRANSCODE
from appliance.sync.sinks.contract import RowFault

OBJECT = "object"

TOPICS_BY_KIND: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "state": (STATE_TOPIC,),
    "image": (IMAGE_TOPIC,),
    OBJECT: (LOG_TOPIC, STORAGE_TOPIC),
    TRANSCODE: (TRANSCODE_TOPIC,),
    ACCESS: (ACCESS_TOPIC,),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Envelope:
    """One record for one topic: `key` chooses the partition, `value` is JSON in UTF-8, on one line."""

    topic: str
    key: str
    value: bytes


def seal(delivery: Delivery, file_path: str = "") -> tuple[Envelope, ...]:
    """Return the records of an event, one per topic of its kind.

    `file_path` is where the bytes of an object lie at the destination; it goes into the store
    record. Raises RowFault for an unknown kind and for a payload that is no JSON object in UTF-8.
    """
    topics = TOPICS_BY_KIND.get(delivery.kind)
    if topics is None:
        raise RowFault(f"no topic is known for events of kind {delivery.kind!r}")
    record = _record(delivery)
    if delivery.kind == OBJECT:
        record["file_path"] = file_path
    value = _encode(record)
    return tuple(Envelope(topic, delivery.message_key, value) for topic in topics)


def object_path(delivery: Delivery) -> str:
    """Return `<tenant>/<study>/<series>/<sop>.dcm`. Raises RowFault for anything that is not a UID."""
    try:
        return instance_path(delivery.tenant, delivery.study_uid, delivery.series_uid, delivery.sop_uid or "")
    except ValueError as error:
        raise RowFault("the event's UIDs cannot be a path", hint="see appliance outbox show") from error


def _record(delivery: Delivery) -> dict[str, Any]:
    try:
        record = json.loads(delivery.payload, parse_constant=_refuse)
    except ValueError as error:
        raise RowFault("the event's record is not JSON") from error
    if not isinstance(record, dict):
        raise RowFault("the event's record is not a JSON object")
    return record


def _encode(record: dict[str, Any]) -> bytes:
    try:
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise RowFault("the record holds text that UTF-8 cannot carry") from error


def _refuse(constant: str) -> None:
    """NaN and Infinity are Python's addition to JSON; strict readers lose the whole record to them."""
    raise ValueError(constant)
