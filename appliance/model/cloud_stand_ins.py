"""Stand-ins for what the cloud requires and a data set may lack, fixed when a study is first received."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from appliance.model.moments import normalise_date
from appliance.model.records import Value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Study Date first; then what comes closest to the day of the examination.
_DATES: Final = ("study_date", "acquisition_date", "series_date", "content_date")


def short_hash(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def local_time(microseconds: int, timezone: str) -> datetime:
    """Return a moment (microseconds since 1970, UTC) as the naive clock time of an IANA time zone."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)


def cloud_patient_id(patient_id: Value, study_uid: str) -> str:
    """Return the patient identifier the cloud knows a study by.

    It is Patient ID where there is one, else "UNKNOWN-" and 16 hexadecimal digits of the study's
    UID: studies without an identifier must never be taken for one patient.
    """
    stated = "" if patient_id is None else str(patient_id).replace("\0", "").strip()
    return stated or f"UNKNOWN-{short_hash(study_uid)}"


def cloud_study_date(values: Mapping[str, Value], received_at: int, timezone: str) -> str:
    """Return the study date the cloud files a study under, "YYYYMMDD".

    `values` are header columns of the first instance, of all levels. The first valid of study,
    acquisition, series and content date counts, else the day of `received_at` (microseconds since
    1970, UTC) in `timezone`.
    """
    for column in _DATES:
        stated = values.get(column)
        written = normalise_date(str(stated)) if stated else None
        if written is not None:
            return written
    return f"{local_time(received_at, timezone):%Y%m%d}"
