"""The operation "document": the PDF inside an Encapsulated PDF object (PS3.3 A.45.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from appliance.codec.groups import number, value
from appliance.codec.refusal import Refusal

if TYPE_CHECKING:
    from appliance.codec.opened import Opened

PDF: Final = "application/pdf"
MAGIC: Final = b"%PDF-"
_SEARCHED: Final = 1024


def document(opened: Opened, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return facts {media_type} and the PDF. Raises Refusal where the bytes are none, whatever they claim to be."""
    dataset = opened.dataset()
    data = value(dataset, "EncapsulatedDocument")
    if not isinstance(data, bytes) or MAGIC not in data[:_SEARCHED]:
        raise Refusal("the object holds no PDF document")
    length = int(number(dataset, "EncapsulatedDocumentLength") or 0)
    return {"media_type": PDF}, data[:length] if len(data) - 1 <= length <= len(data) else data
