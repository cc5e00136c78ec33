"""A patient nobody else is called like, and every way in which a text could tell of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

# One value per attribute, each in no other and in nothing that the appliance says.
LATIN: Final = "Mühlhäusser^Zäzilia"
CHINESE: Final = "Wang^XiaoDong=王^小東"
JAPANESE: Final = "Yamada^Tarou=山田^太郎=やまだ^たろう"
PATIENTS: Final[tuple[dict[str, Any], ...]] = (
    {"PatientName": "Quimbleton^Xanthippe", "SpecificCharacterSet": "ISO_IR 100"},
    {"PatientName": LATIN, "SpecificCharacterSet": "ISO_IR 100"},
    {"PatientName": CHINESE, "SpecificCharacterSet": "GB18030"},
    {"PatientName": JAPANESE, "SpecificCharacterSet": ["", "ISO 2022 IR 87"]},
)
SHARED: Final[dict[str, Any]] = {
    "PatientID": "PLANT-PID-77341",
    "IssuerOfPatientID": "PlantIssuerQ",
    "PatientBirthDate": "19130417",
    "AccessionNumber": "PLACC90210",
    "StudyID": "PLSTID5521",
    "StudyDescription": "Zwerchfellhochstand planted",
    "SeriesDescription": "Plantedseries Zeta",
    "ReferringPhysicianName": "Plantdoctor^Ottokar",
    "InstitutionName": "Plantclinic Qaz",
    "StationName": "PLSTATION9",
    "ProtocolName": "Plantprotocol Wsx",
    "PatientAddress": "Plantstreet 4711",
    "PatientTelephoneNumbers": "+43-555-7770123",
    "OtherPatientIDs": "PLOTHER8812",
    "PatientComments": "Plantcomment Edc",
    "PatientMotherBirthName": "Plantmother^Rfv",
    "RequestingPhysician": "Plantrequester^Tgb",
    "OperatorsName": "Plantoperator^Yhn",
    "ImageComments": "Plantimagecomment",
}
# Nobody in the index is called so: an operator has written it.
STRANGER: Final = "Plantstranger"
UID: Final = "1.2.826.0.1.3680043.8.498.771177"
CHARSETS: Final = ("utf-8", "latin-1", "gb18030", "iso2022_jp", "shift_jis", "utf-16-le")


def values() -> set[str]:
    """Everything planted: whole values, the parts of names, and the beginning of every UID."""
    whole = {str(value) for value in SHARED.values()} | {str(one["PatientName"]) for one in PATIENTS}
    names = {value for value in whole if "^" in value}
    parts = {part for value in names for group in value.split("=") for part in group.split("^")}
    return {value for value in whole | parts if len(value) >= (4 if value.isascii() else 2)} | {UID, STRANGER}


def forms(value: str) -> Iterator[bytes]:
    """Yield every way in which a value could stand in a file."""
    for charset in CHARSETS:
        try:
            data = value.encode(charset)
        except UnicodeEncodeError:
            continue
        yield data
        yield quote(data).encode()
        yield quote(data, safe="").lower().encode()
        yield base64.b64encode(data).rstrip(b"=")
        yield data.hex().encode()
        yield repr(data)[2:-1].encode()
    yield json.dumps(value)[1:-1].encode()
    yield value.encode("unicode_escape")
    yield value.encode("ascii", "xmlcharrefreplace")


def found_in(data: bytes) -> set[str]:
    """Return the planted values that some bytes tell of, in any form and whatever the case."""
    low = data.lower()
    return {value for value in values() if any(form.lower() in low for form in set(forms(value)) if len(form) >= 3)}
