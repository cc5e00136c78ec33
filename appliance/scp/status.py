"""The one table from what ingest says to what a C-STORE response says (PS3.4 annex B, PS3.7 annex C)."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.errors import (
    ArchiveFailed,
    Busy,
    DiskFull,
    Misidentified,
    TooLarge,
    Unparseable,
)


@dataclass(frozen=True, slots=True)
class DimseStatus:
    """A status code and the words that go with it in Error Comment and in the numbers.

    `fatal` statuses end the room: nothing after them could be promised.
    """

    code: int
    name: str
    comment: str = ""
    fatal: bool = False


SUCCESS = DimseStatus(0x0000, "success")
PROCESSING_FAILURE = DimseStatus(0x0110, "processing_failure", "Internal fault, see the appliance's log")
SOP_CLASS_NOT_SUPPORTED = DimseStatus(0x0122, "sop_class_not_supported", "SOP class not in this context")
UNRECOGNISED_OPERATION = DimseStatus(0x0211, "unrecognised_operation", "Operation not offered here")
NO_DATA_SET = DimseStatus(0xC000, "no_data_set", "C-STORE without a data set")

# The first row whose class fits decides; whatever fits none is a processing failure.
_TABLE: tuple[tuple[type[Exception], DimseStatus], ...] = (
    (DiskFull, DimseStatus(0xA700, "disk_full", "The appliance's disk is full")),
    (Busy, DimseStatus(0xA701, "busy", "The appliance's archive is busy, try again")),
    (ArchiveFailed, DimseStatus(0xA700, "archive_failed", "The appliance's archive failed", fatal=True)),
    (Misidentified, DimseStatus(0xA900, "misidentified", "UIDs of command and data set differ")),
    (Unparseable, DimseStatus(0xC000, "unparseable", "Data set cannot be read, kept in quarantine")),
    (TooLarge, DimseStatus(0xC002, "too_large", "Object larger than this appliance accepts")),
)

STORE_STATUSES = (
    SUCCESS,
    PROCESSING_FAILURE,
    SOP_CLASS_NOT_SUPPORTED,
    NO_DATA_SET,
    *(status for _, status in _TABLE),
)


def status_of(error: Exception) -> DimseStatus:
    """The status that answers a C-STORE which ended with `error`."""
    for kind, status in _TABLE:
        if isinstance(error, kind):
            return status
    return PROCESSING_FAILURE
