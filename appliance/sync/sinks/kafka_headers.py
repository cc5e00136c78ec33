"""Headers of a Kafka message: CloudEvents in binary mode, the trace, the site's signature. No patient data."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime, timedelta

from appliance.archive.outbox import Delivery
from appliance.signatures import Signer
from appliance.sync.envelope import Envelope

Headers = list[tuple[str, bytes]]

SPECIFICATION = "1.0"
CONTENT_TYPE = "application/json"
SIGNATURE = "edge_signature"

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_id(source: str, delivery: Delivery, topic: str) -> uuid.UUID:
    """Return ce_id: the same for every repeat of a message, another for any other message.

    The outbox numbers its events anew when a box is set up again, so the time takes part.
    """
    parts = (source, delivery.tenant, topic, delivery.event_id, delivery.revision, delivery.created_at)
    return uuid.uuid5(uuid.NAMESPACE_URL, "/".join(str(part) for part in parts))


def headers(envelope: Envelope, delivery: Delivery, source: str, signer: Signer | None) -> Headers:
    """Return the headers of one message, in a fixed order; `source` is the site's id.

    The subject consists of UIDs. A delivery without a trace context gets one made of its ce_id,
    so that repeats share it.
    """
    identity = event_id(source, delivery, envelope.topic)
    fields = {
        "ce_specversion": SPECIFICATION,
        "ce_id": str(identity),
        "ce_type": f"dicom-edge.{delivery.kind}.v1",
        "ce_source": f"urn:dicom-edge:site:{source}",
        "ce_time": _time(delivery.created_at),
        "ce_subject": "/".join(uid for uid in (delivery.study_uid, delivery.series_uid, delivery.sop_uid) if uid),
        "content-type": CONTENT_TYPE,
        "traceparent": _traceparent(delivery.traceparent, identity),
    }
    found = [(name, text.encode()) for name, text in fields.items()]
    return found if signer is None else [*found, (SIGNATURE, signer.header(envelope.value))]


def _time(microseconds: int) -> str:
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _traceparent(text: str, identity: uuid.UUID) -> str:
    if _TRACEPARENT.fullmatch(text):
        return text
    span = hashlib.sha256(identity.bytes).hexdigest()[:16]
    return f"00-{identity.hex}-{span}-01"
