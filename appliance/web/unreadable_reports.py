"""Structured reports that OHIF cannot open: one of them blanks its whole page, pictures included.

OHIF 3.13 takes for granted that every content item it shows has a Concept Name, and that every number
has units. The standard asks for both (PS3.3 C.17.3, C.18.1), with exceptions, and devices forget them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from appliance.archive.reading import StoredInstance
from appliance.dicomweb.metadata import Unreadable, read_metadata
from appliance.errors import ArchiveError
from appliance.model.attributes import ATTRIBUTES, Level
from appliance.model.matching import Match, Query
from appliance.web.answers import Refused
from appliance.web.services import services
from appliance.web.streams import encoded_in, open_stored

# Basic Text, Enhanced, Comprehensive and Comprehensive 3D SR: what OHIF shows.
SHOWN: Final = tuple(f"1.2.840.10008.5.1.4.1.1.88.{number}" for number in (11, 22, 33, 34))
MOST_REPORTS: Final = 100
MEASUREMENT_REPORT: Final = "126000"
TRACKING_UID: Final = "112040"
MEASUREMENTS: Final = "126010"
MEASUREMENT_GROUP: Final = "125007"

CONTENT: Final = "0040A730"
CONCEPT_NAME: Final = "0040A043"
VALUE_TYPE: Final = "0040A040"
MEASURED_VALUE: Final = "0040A300"
UNITS: Final = "004008EA"
CODE_VALUE: Final = "00080100"
SOP_CLASS_UID: Final = next(attribute for attribute in ATTRIBUTES if attribute.keyword == "SOPClassUID")

Document = Mapping[str, Any]


def has_unreadable_report(study_uid: str) -> bool:
    """Say whether a study holds a structured report that OHIF would fail on, or that cannot be read at all."""
    query = Query(Level.INSTANCE, (Match(SOP_CLASS_UID, "uids", SHOWN),), study_uid=study_uid, limit=MOST_REPORTS)
    tools = services()
    for found in tools.archive.search.find(query):
        uids = (study_uid, str(found["SeriesInstanceUID"]), str(found["SOPInstanceUID"]))
        for instance in tools.archive.reading.instances(*uids):
            if tools.recalling.can_give(instance) and not _opens(instance):
                return True
    return False


def _opens(instance: StoredInstance) -> bool:
    try:
        with open_stored(services().recalling.here(instance)) as file:
            document, _ = read_metadata(encoded_in(instance, file), lambda path: path)
    except Refused:
        return True  # it cannot be had now, so OHIF will not have it either
    except (Unreadable, ArchiveError, OSError):
        return False
    return can_be_shown(document)


def can_be_shown(report: Document) -> bool:
    """Say whether OHIF would open a report, given as a DICOM JSON object."""
    if _code(report) == MEASUREMENT_REPORT:
        return _measurements_can_be_shown(report)
    return all(_item_can_be_shown(item) for item in _shown_items(report))


def _measurements_can_be_shown(report: Document) -> bool:
    items = _items(report, CONTENT)
    groups = [group for item in items if _code(item) == MEASUREMENTS for group in _items(item, CONTENT)]
    parts = [part for group in groups if _code(group) == MEASUREMENT_GROUP for part in _items(group, CONTENT)]
    tracked = all(
        any(_code(part) == TRACKING_UID for part in _items(group, CONTENT))
        for group in groups
        if _code(group) == MEASUREMENT_GROUP
    )
    return tracked and all(_items(item, CONCEPT_NAME) for item in (*items, *groups, *parts))


def _shown_items(container: Document) -> Iterator[Document]:
    """Yield the items that are no containers; what is below those is not shown."""
    waiting = [container]
    while waiting:
        for item in _items(waiting.pop(), CONTENT):
            if _text(item, VALUE_TYPE) == "CONTAINER":
                waiting.append(item)
            else:
                yield item


def _item_can_be_shown(item: Document) -> bool:
    units = all(_items(value, UNITS) for value in _items(item, MEASURED_VALUE)[:1])
    return bool(_items(item, CONCEPT_NAME)) and units


def _items(document: Document, tag: str) -> list[Document]:
    values = document.get(tag, {}).get("Value", [])
    return [value for value in values if isinstance(value, dict)]


def _text(document: Document, tag: str) -> str:
    values = document.get(tag, {}).get("Value", [])
    return str(values[0]) if values else ""


def _code(document: Document) -> str:
    names = _items(document, CONCEPT_NAME)
    return _text(names[0], CODE_VALUE) if names else ""
