"""The Native DICOM Model (PS3.19 A.1), made from a DICOM JSON object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from appliance.dicomweb.dicom_json import GROUPS

_COMPONENTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
# XML 1.0 has no way at all to write these.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(value: object) -> str:
    return escape(_NOT_XML.sub("\ufffd", str(value)))


def _person(number: int, name: Mapping[str, str]) -> str:
    groups = []
    for group in GROUPS:
        if group in name:
            parts = zip(_COMPONENTS, name[group].split("^"), strict=False)
            inner = "".join(f"<{tag}>{_text(part)}</{tag}>" for tag, part in parts if part)
            groups.append(f"<{group}>{inner}</{group}>")
    return f'<PersonName number="{number}">{"".join(groups)}</PersonName>'


def _value(vr: str, number: int, value: Any) -> str:
    if value is None:
        return ""
    if vr == "SQ":
        return f'<Item number="{number}">{_attributes(value)}</Item>'
    if vr == "PN":
        return _person(number, value)
    return f'<Value number="{number}">{_text(value)}</Value>'


def _attribute(tag: str, member: Mapping[str, Any]) -> str:
    vr = member["vr"]
    from pydicom.datadict import keyword_for_tag  # large, and seldom wanted

    keyword = keyword_for_tag(int(tag, 16))
    named = f" keyword={quoteattr(keyword)}" if keyword else ""
    body = "".join(_value(vr, number, value) for number, value in enumerate(member.get("Value", ()), start=1))
    if "BulkDataURI" in member:
        body = f"<BulkData uri={quoteattr(member['BulkDataURI'])}/>"
    elif "InlineBinary" in member:
        body = f"<InlineBinary>{member['InlineBinary']}</InlineBinary>"
    return f'<DicomAttribute tag="{tag}" vr="{vr}"{named}>{body}</DicomAttribute>'


def _attributes(document: Mapping[str, Any]) -> str:
    return "".join(_attribute(tag, member) for tag, member in document.items())


def to_xml(document: Mapping[str, Any]) -> bytes:
    """Return the UTF-8 Native DICOM Model of one DICOM JSON object; control characters become U+FFFD."""
    namespace = 'xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve"'
    root = f"<NativeDicomModel {namespace}>{_attributes(document)}</NativeDicomModel>"
    return f'<?xml version="1.0" encoding="UTF-8"?>{root}'.encode()
