"""What the fallback viewer needs to know of a study: its series in reading order, and their stacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from appliance.archive.search import Found
from appliance.model.records import Value
from appliance.web.kinds import Kind, kind_of
from appliance.web.worklist import shown_date, shown_name

ATTRIBUTES: Final = (
    "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Modality", "SeriesNumber",
    "SeriesDescription", "InstanceNumber", "NumberOfFrames", "Rows", "Columns", "WindowCenter", "WindowWidth",
    "ImageOrientationPatient", "ImagePositionPatient", "BitsStored", "RescaleIntercept", "RescaleSlope",
    "SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation",
)  # fmt: skip


def described(study: Found) -> dict[str, Any]:
    """Return the study as the viewer names it."""
    return {
        "uid": study["StudyInstanceUID"],
        "name": shown_name(study["PatientName"]),
        "patientId": study["PatientID"] or "",
        "birthDate": shown_date(study["PatientBirthDate"]),
        "sex": study["PatientSex"] or "",
        "date": shown_date(study["StudyDate"]),
        "description": study["StudyDescription"] or "",
        "modalities": str(study["ModalitiesInStudy"] or "").replace("\\", " "),
    }


def stacks(instances: Iterable[Found]) -> list[dict[str, Any]]:
    """Return one entry per series and kind: pictures as one stack, every document as an entry of its own.

    `instances` come ordered by series. Pictures of another matrix size stay in the stack.
    """
    found: list[dict[str, Any]] = []
    for _, members in groupby(instances, lambda instance: instance["SeriesInstanceUID"]):
        kinds: dict[Kind, list[Found]] = {}
        for member in members:
            kinds.setdefault(kind_of(member), []).append(member)
        pictures = kinds.pop(Kind.IMAGE, [])
        if pictures:
            found.append(_stack(reading_order(pictures)))
        found += [_entry(kind, [one]) for kind, rest in kinds.items() for one in rest]
    return found


def reading_order(pictures: Sequence[Found]) -> list[Found]:
    """Return slices along their normal where all are parallel and apart (PS3.3 C.7.6.2.1.1), else as they came."""
    placed = [_height(picture) for picture in pictures]
    heights = [height for height in placed if height is not None]
    directions = {str(picture["ImageOrientationPatient"]) for picture in pictures}
    if len(directions) != 1 or len(set(heights)) != len(pictures):
        return list(pictures)
    order = sorted(range(len(pictures)), key=heights.__getitem__)
    if _backwards(pictures, order):
        order.reverse()
    return [pictures[at] for at in order]


def _backwards(pictures: Sequence[Found], order: Sequence[int]) -> bool:
    """Say whether the device numbered the slices from the other end: it knows where reading begins."""
    first, last = pictures[order[0]]["InstanceNumber"], pictures[order[-1]]["InstanceNumber"]
    return first is not None and last is not None and int(first) > int(last)


def _height(picture: Found) -> float | None:
    across = _numbers(picture["ImageOrientationPatient"], 6)
    position = _numbers(picture["ImagePositionPatient"], 3)
    if across is None or position is None:
        return None
    (a, b, c, d, e, f), (x, y, z) = across, position
    return round((b * f - c * e) * x + (c * d - a * f) * y + (a * e - b * d) * z, 4)


def _numbers(value: Value, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(part) for part in str(value or "").split("\\"))
    except ValueError:
        return None
    return numbers if len(numbers) == count else None


def _entry(kind: Kind, members: Sequence[Found]) -> dict[str, Any]:
    first = members[0]
    return {
        "uid": first["SeriesInstanceUID"],
        "kind": kind.value,
        "modality": first["Modality"] or "",
        "number": first["SeriesNumber"],
        "description": first["SeriesDescription"] or "",
        "instances": [_instance(member) for member in members],
    }


def _instance(member: Found) -> list[Any]:
    """Return [UID, frames, columns, rows]."""
    return [member["SOPInstanceUID"], max(1, int(member["NumberOfFrames"] or 1)), member["Columns"], member["Rows"]]


def _stack(pictures: Sequence[Found]) -> dict[str, Any]:
    return _entry(Kind.IMAGE, pictures) | {
        "rows": pictures[0]["Rows"],
        "columns": pictures[0]["Columns"],
        "gray": pictures[0]["SamplesPerPixel"] in (None, 1)
        and pictures[0]["PhotometricInterpretation"] != "PALETTE COLOR",
        "inverse": pictures[0]["PhotometricInterpretation"] == "MONOCHROME1",
        "windows": _windows(pictures[0]),
        "range": _range(pictures[0]),
    }


def _windows(picture: Mapping[str, Value]) -> list[list[float]]:
    """Return the [centre, width] pairs that came with a picture (PS3.3 C.11.2.1.2)."""
    centres, widths = (str(picture[name] or "").split("\\") for name in ("WindowCenter", "WindowWidth"))
    pairs = (_numbers(f"{centre}\\{width}", 2) for centre, width in zip(centres, widths, strict=False))
    return [list(pair) for pair in pairs if pair is not None and pair[1] > 0]


def _range(picture: Mapping[str, Value]) -> list[float]:
    """Return [centre, width] of everything the stored bits can hold, after the modality LUT's slope."""
    bits = int(picture["BitsStored"] or 8)
    slope = abs(float(picture["RescaleSlope"] or 1)) or 1.0
    width = float(1 << min(bits, 32)) * slope
    middle = 0.0 if picture["PixelRepresentation"] else width / 2
    return [middle + float(picture["RescaleIntercept"] or 0), width]
