"""The DICOMDIR of an exported study, from the index and, where that does not know enough, from the objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydicom import Dataset

from appliance.archive.reading import StoredInstance
from appliance.archive.search import Found
from appliance.dicomweb.dicomdir import KEYS, Filed, dicomdir, record_type, wants_header
from appliance.dicomweb.metadata import Unreadable
from appliance.errors import ArchiveError
from appliance.web.documents import read_instance

PATIENT: Final = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
STUDY: Final = ("StudyDate", "StudyTime", "StudyDescription", "StudyInstanceUID", "StudyID", "AccessionNumber")
SERIES: Final = ("Modality", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription")


def directory(
    study: Found,
    by_series: Iterable[Sequence[StoredInstance]],
    files: Mapping[str, tuple[str, ...]],
    rows: Mapping[str, Found],
) -> bytes:
    """Return the DICOMDIR of the instances, series by series; `files` are their file IDs, `rows` what the index has."""
    series = [
        (_keys(rows[members[0].sop_uid], SERIES), [_filed(one, files[one.sop_uid], rows) for one in members])
        for members in by_series
    ]
    return dicomdir(_keys(study, PATIENT), _keys(study, STUDY), series)


def _filed(instance: StoredInstance, file_id: tuple[str, ...], rows: Mapping[str, Found]) -> Filed:
    names = KEYS[record_type(instance.sop_class_uid)]
    keys = _keys(rows[instance.sop_uid], names)
    if wants_header(instance.sop_class_uid):
        keys = _header_keys(instance, names) or keys
    return Filed(file_id, instance.sop_class_uid, instance.sop_uid, instance.transfer_syntax_uid, keys)


def _header_keys(instance: StoredInstance, names: Sequence[str]) -> Dataset | None:
    """Return keys from the object's own header; None when it cannot be read."""
    try:
        document = read_instance(instance, "")[0]
        whole = Dataset.from_json(document, lambda tag, vr, uri: b"")
        return _chosen({name: whole[name].value for name in names if name in whole}, names)
    except (Unreadable, ArchiveError, OSError, ValueError, TypeError, KeyError):
        return None


def _keys(row: Found, names: Sequence[str]) -> Dataset:
    return _chosen({name: _parts(row.get(name)) for name in names}, names)


def _parts(value: Any) -> Any:
    return value.split("\\") if isinstance(value, str) and "\\" in value else value


def _chosen(values: dict[str, Any], names: Sequence[str]) -> Dataset:
    """Return the keys as a data set; what is unknown stays empty. A sequence that is not there is left out."""
    keys = Dataset()
    for name in names:
        value = values.get(name)
        if value is not None or not name.endswith("Sequence"):
            setattr(keys, name, value)
    return keys
