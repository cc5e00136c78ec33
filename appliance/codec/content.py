"""Values of structured report content items (PS3.3 C.17.3) as words, and what they refer to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydicom import Dataset

from appliance.codec.groups import first_item, items, numbers, text, value
from appliance.model.uid import is_valid_uid

MOST_COORDINATES: Final = 24
CONTAINER: Final = "CONTAINER"


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that a report points at; the words after it say which part."""

    sop_uid: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """One content item: its concept, its value in words, a reference if it is one, and a complaint if unreadable."""

    concept: str
    words: str = ""
    reference: Reference | None = None
    complaint: str = ""


def content_of(item: Dataset) -> Content:
    """Return a content item as words. What is missing or unknown becomes a complaint, not an error."""
    kind = text(item, "ValueType").upper()
    concept = code(first_item(item, "ConceptNameCodeSequence"))
    target = numbers(item, "ReferencedContentItemIdentifier")
    if target and not kind:
        return Content(concept, "see item " + ".".join(str(int(place)) for place in target))
    if kind == CONTAINER:
        return Content(concept)
    if kind in _REFERENCES:
        return _referring(item, concept)
    if kind not in _WORDS:
        return Content(concept, complaint="an item has no value type that is known")
    words = _WORDS[kind](item)
    return Content(concept, words, complaint="" if words else "an item has no value")


def code(item: Dataset | None) -> str:
    """Return the meaning of a code; without one the code itself with its scheme."""
    if item is None:
        return ""
    meaning = text(item, "CodeMeaning")
    plain = next(filter(None, (text(item, key) for key in ("CodeValue", "LongCodeValue", "URNCodeValue"))), "")
    return meaning or " ".join(filter(None, (plain, text(item, "CodingSchemeDesignator"))))


def person(name: str) -> str:
    """Return a person name to read: every script it is written in, components in their order."""
    written = [" ".join(part for part in group.split("^") if part.strip()) for group in name.split("=")]
    first, *others = [group for group in written if group] or [""]
    return f"{first} ({', '.join(others)})" if others else first


def moment(written: str) -> str:
    """Return a DICOM date, time or both (and zone) to read; what is not written so stays as it is."""
    digits, _, fraction = written.partition(".")
    zone = next((fraction[at:] or digits[at:] for at in (fraction.find("+"), fraction.find("-")) if at >= 0), "")
    if not digits.isdigit():
        return written
    day, clock = (digits[:8], digits[8:]) if len(digits) in (8, 10, 12, 14) else ("", digits)
    date = "-".join(filter(None, (day[:4], day[4:6], day[6:8])))
    return " ".join(filter(None, (date, ":".join(filter(None, (clock[:2], clock[2:4], clock[4:6]))), zone)))


def _time(item: Dataset) -> str:
    written = text(item, "Time").split(".")[0]
    return ":".join(filter(None, (written[:2], written[2:4], written[4:6]))) if written.isdigit() else written


def _measured(item: Dataset) -> str:
    measured = first_item(item, "MeasuredValueSequence")
    if measured is None:
        return code(first_item(item, "NumericValueQualifierCodeSequence"))
    unit = first_item(measured, "MeasurementUnitsCodeSequence")
    symbol = text(unit, "CodeValue") if unit is not None else ""
    unit_words = "" if symbol == "1" else (symbol if symbol and len(symbol) <= 12 else code(unit))
    return " ".join(filter(None, (text(measured, "NumericValue"), unit_words)))


def _graphic(item: Dataset) -> str:
    points = numbers(item, "GraphicData")
    shown = ", ".join(f"{number:g}" for number in points[:MOST_COORDINATES])
    more = ", …" if len(points) > MOST_COORDINATES else ""
    return f"{text(item, 'GraphicType').lower()} at {shown}{more}" if points else ""


def _times(item: Dataset) -> str:
    keys = ("ReferencedSamplePositions", "ReferencedTimeOffsets", "ReferencedDateTime")
    values = next((value(item, key) for key in keys if value(item, key) is not None), "")
    return " ".join(filter(None, (text(item, "TemporalRangeType").lower(), str(values))))


def _table(item: Dataset) -> str:
    rows, columns = text(item, "NumberOfTableRows"), text(item, "NumberOfTableColumns")
    return f"a table of {rows} rows and {columns} columns" if rows and columns else ""


def _referring(item: Dataset, concept: str) -> Content:
    """Words for IMAGE, WAVEFORM and COMPOSITE: the object and the frames, segments or channels meant."""
    target = first_item(item, "ReferencedSOPSequence")
    uid = text(target, "ReferencedSOPInstanceUID") if target is not None else ""
    if target is None or not is_valid_uid(uid):
        return Content(concept, complaint="a reference names no object")
    parts = [
        f"{label} {', '.join(f'{part:g}' for part in found)}"
        for label, keyword in _PARTS.items()
        if (found := numbers(target, keyword))
    ]
    kind = value(target, "ReferencedSOPClassUID")
    name = str(getattr(kind, "name", "") or "object").removesuffix(" Storage")
    return Content(concept, name, Reference(uid, "; ".join(parts)))


def evidence(dataset: Dataset) -> dict[str, tuple[str, str]]:
    """Return study and series UID of each object that the report lists as its evidence, by SOP Instance UID."""
    places: dict[str, tuple[str, str]] = {}
    for keyword in _EVIDENCE:
        for study in items(dataset, keyword):
            for series in items(study, "ReferencedSeriesSequence"):
                place = (text(study, "StudyInstanceUID"), text(series, "SeriesInstanceUID"))
                for target in items(series, "ReferencedSOPSequence"):
                    if all(map(is_valid_uid, place)):
                        places[text(target, "ReferencedSOPInstanceUID")] = place
    return places


_PARTS: Final[Mapping[str, str]] = {
    "frame": "ReferencedFrameNumber",
    "segment": "ReferencedSegmentNumber",
    "channel": "ReferencedWaveformChannels",
}
_EVIDENCE: Final = (
    "CurrentRequestedProcedureEvidenceSequence",
    "PertinentOtherEvidenceSequence",
    "PredecessorDocumentsSequence",
    "IdenticalDocumentsSequence",
)
_REFERENCES: Final = frozenset({"IMAGE", "WAVEFORM", "COMPOSITE"})
_WORDS: Final[Mapping[str, Callable[[Dataset], Any]]] = {
    "TEXT": lambda item: text(item, "TextValue"),
    "CODE": lambda item: code(first_item(item, "ConceptCodeSequence")),
    "NUM": _measured,
    "PNAME": lambda item: person(text(item, "PersonName")),
    "DATE": lambda item: moment(text(item, "Date")),
    "TIME": _time,
    "DATETIME": lambda item: moment(text(item, "DateTime")),
    "UIDREF": lambda item: text(item, "UID"),
    "SCOORD": _graphic,
    "SCOORD3D": _graphic,
    "TCOORD": _times,
    "TABLE": _table,
}
