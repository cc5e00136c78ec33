"""What somebody may store who may only annotate: it joins a study that is here, and changes nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from appliance.access.roles import Permission
from appliance.errors import NotAllowed
from appliance.model.records import Header
from appliance.web.principal import Principal
from appliance.web.services import services
from appliance.web.study_row import find_study

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
# PS3.4 B.5: text, enhanced, comprehensive, comprehensive 3D and extensible reports; key objects; softcopy
# presentation states (grayscale, colour, pseudo-colour, blending).
CLASSES: Final = frozenset(
    _STORAGE + part for part in ("88.11", "88.22", "88.33", "88.34", "88.35", "88.59", "11.1", "11.2", "11.3", "11.4")
)
# By these a person finds the study, and takes it for somebody's. An annotation says the same or nothing.
IDENTIFYING: Final[Mapping[str, str]] = MappingProxyType({
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "patient_birth_date": "PatientBirthDate",
    "patient_sex": "PatientSex",
    "accession_number": "AccessionNumber",
})  # fmt: skip


def check_of(principal: Principal) -> Callable[[Header], None]:
    """Return what looks at each object that a principal stores; it raises NotAllowed."""
    return _everything if principal.may(Permission.STORE) else check_annotation


def check_annotation(header: Header) -> None:
    """Refuse what is no annotation of a study that is here. Raises NotAllowed."""
    if header.sop_class_uid not in CLASSES:
        raise NotAllowed("this account may store reports, key objects and presentation states only")
    study = find_study(header.study_uid)
    if study is None:
        raise NotAllowed("this account may store into studies only that are here")
    if any(header.study.get(column) not in (None, "", study[keyword]) for column, keyword in IDENTIFYING.items()):
        raise NotAllowed("this account may not change whose study it is")
    others = services().archive.reading.instances(header.study_uid, header.series_uid)
    if any(other.sop_class_uid not in CLASSES for other in others):
        raise NotAllowed("this account may not add to a series of another kind")


def _everything(header: Header) -> None:
    """Let everything be stored."""
