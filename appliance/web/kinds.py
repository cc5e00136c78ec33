"""What an instance is to a reader, told by its SOP class (PS3.4 B.5): a picture, a text, a curve, something else."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from appliance.model.records import Value

STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
ENCAPSULATED_PDF: Final = f"{STORAGE}104.1"
_REPORTS: Final = f"{STORAGE}88."
_WAVEFORMS: Final = f"{STORAGE}9."


class Kind(StrEnum):
    """How an instance is shown."""

    IMAGE = "image"
    PDF = "pdf"
    REPORT = "report"
    WAVEFORM = "waveform"
    OTHER = "other"


DOCUMENTS: Final = frozenset({Kind.PDF, Kind.REPORT, Kind.WAVEFORM})


def kind_of(instance: Mapping[str, Value]) -> Kind:
    """Return the kind of an instance, given its keywords (SOPClassUID, Rows)."""
    sop_class = str(instance["SOPClassUID"] or "")
    if sop_class == ENCAPSULATED_PDF:
        return Kind.PDF
    if sop_class.startswith(_REPORTS):
        return Kind.REPORT
    if sop_class.startswith(_WAVEFORMS):
        return Kind.WAVEFORM
    return Kind.IMAGE if instance["Rows"] else Kind.OTHER
