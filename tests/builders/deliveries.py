"""Deliveries as the outbox hands them out, with real files behind the objects."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance.archive.outbox import Delivery, DeliveryBlob

GROUP2 = b"\0" * 128 + b"DICM" + b"group 2 of ours "
ROOT = "1.2.826.0.1.3680043.10.1"


class Deliveries:
    """Makes deliveries with rising event ids; the files of objects lie below `directory`."""

    def __init__(self, directory: Path, tenant: str = "default") -> None:
        """Take an existing directory."""
        self._directory = directory
        self._tenant = tenant
        self._ids = itertools.count(1)

    def state(self, series: str = "1", **changes: Any) -> Delivery:
        """Return the state of a series."""
        return self._delivery("state", series, None, {"patient_name": "Müller^Jörg"}, **changes)

    def image(self, series: str = "1", sop: str = "1", **changes: Any) -> Delivery:
        """Return the record of an image."""
        return self._delivery("image", series, sop, {"width": 16}, **changes)

    def object(self, series: str = "1", sop: str = "1", data: bytes = b"pixels", **changes: Any) -> Delivery:
        """Return an object whose data set is `data`."""
        delivery = self._delivery("object", series, sop, {"file_path": ""}, **changes)
        return replace(delivery, blob=self.blob(data)) if "blob" not in changes else delivery

    def instance(self, series: str = "1", sop: str = "1", data: bytes = b"pixels") -> list[Delivery]:
        """Return what ingest announces of one instance, in its order."""
        return [self.state(series), self.image(series, sop), self.object(series, sop, data)]

    def blob(self, data: bytes) -> DeliveryBlob:
        """Return a file with group 2 and `data`."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._directory / digest
        path.write_bytes(GROUP2 + data)
        size = len(GROUP2) + len(data)
        return DeliveryBlob(path, len(GROUP2), len(data), size, "1.2.840.10008.1.2.1", digest)

    def _delivery(self, default: str, series: str, sop: str | None, record: dict[str, Any], **changes: Any) -> Delivery:
        number = next(self._ids)
        study_uid, series_uid = f"{ROOT}.1", f"{ROOT}.1.{series}"
        sop_uid = f"{series_uid}.{sop}" if sop else None
        facts = {"study_uid": study_uid, "series_uid": series_uid, "sop_uid": sop_uid, "revision": number}
        values: dict[str, Any] = {
            "event_id": number,
            "tenant": self._tenant,
            "kind": default,
            "study_uid": study_uid,
            "series_uid": series_uid,
            "sop_uid": sop_uid,
            "message_key": f"key-{series}",
            "payload": json.dumps({**facts, **record, "trace_id": f"trace-{sop_uid}"}),
            "revision": number,
            "trace_id": f"trace-{sop_uid}",
            "traceparent": "",
            "attempts": 0,
            "created_at": 1_700_000_000_000_000,
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2" if sop else "",
            "source_ae": "CT1",
            "blob": None,
        }
        return Delivery(**{**values, **changes})
