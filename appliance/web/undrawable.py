"""Images of a study that no decoder of this box can read, in words for whoever reads the study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from appliance.archive.search import Found
from appliance.archive.transcodes import Unreadable
from appliance.web.services import services

MOST: Final = 1000
UNKNOWN: Final = "it could not be decoded"
# By the fault of the record; each ends a sentence that names the image.
REASONS: Final[Mapping[str, str]] = MappingProxyType({
    "refused": "its compression cannot be read here, or its data are damaged",
    "timed_out": "decoding it took too long and was ended",
    "crashed": "a decoder broke off on it",
    "too_large": "decoding it needs more memory than is allowed",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Undrawable:
    """One image; `reason` is translated. `detail` is the decoder's own sentence, in English."""

    series_uid: str
    series: str
    sop_uid: str
    number: int | None
    reason: str
    detail: str


def undrawable(study_uid: str, instances: Iterable[Found]) -> list[Undrawable]:
    """Return the images of a study that have a record of this program, in reading order, MOST at most."""
    records = [record for record in services().archive.transcodes.records(study_uid, MOST) if record.current]
    return named(records, instances) if records else []


def named(records: Sequence[Unreadable], instances: Iterable[Found]) -> list[Undrawable]:
    """Return records with the names that people know their images by."""
    rows = {str(instance["SOPInstanceUID"]): instance for instance in instances}
    return [_named(record, rows.get(record.sop_uid)) for record in records]


def _named(record: Unreadable, row: Found | None) -> Undrawable:
    known = row or {}
    number = known.get("InstanceNumber")
    series = known.get("SeriesDescription") or known.get("Modality") or ""
    reason = REASONS.get(record.fault, UNKNOWN)
    image = None if number is None else int(number)
    return Undrawable(record.series_uid, str(series), record.sop_uid, image, reason, record.reason)
