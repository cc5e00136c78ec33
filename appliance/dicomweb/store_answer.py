"""The answer to a store request as a sender reads it (PS3.18 10.5.3, annex I.2), from JSON or XML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree import ElementTree

from appliance.dicomweb.media_types import MediaType

REFERENCED: Final = "00081199"
FAILED: Final = "00081198"
OTHER_FAILURES: Final = "0008119A"
SOP_UID: Final = "00081155"
REASON: Final = "00081197"
# Ours: the SHA-256 of the data set that was stored, in a private block of the referenced item.
DIGEST_CREATOR_TAG: Final = "00990010"
DIGEST_CREATOR: Final = "DICOM EDGE APPLIANCE"
DIGEST: Final = "00991001"
PROCESSING_FAILURE: Final = 0x0110

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What a store says of the instances it was sent.

    `stored` maps SOP Instance UIDs to the digest the store names ("" for most stores), `failed`
    maps them to a failure reason; `unnamed` are the reasons of instances it could not name.
    """

    stored: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    unnamed: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        """Say whether the answer tells anything at all."""
        return bool(self.stored or self.failed or self.unnamed)


def parse(media_type: MediaType, body: bytes) -> StoreAnswer:
    """Return what a body says; an empty answer for what is no store response. Never raises."""
    answers = [_read(document) for document in _documents(media_type, body)]
    return StoreAnswer(
        {uid: digest for answer in answers for uid, digest in answer.stored.items()},
        {uid: reason for answer in answers for uid, reason in answer.failed.items()},
        tuple(reason for answer in answers for reason in answer.unnamed),
    )


def _read(document: Document) -> StoreAnswer:
    failed = {uid: _reason(item) for item in _items(document, FAILED) if (uid := _text(item, SOP_UID))}
    stored = {uid: _digest(item) for item in _items(document, REFERENCED) if (uid := _text(item, SOP_UID))}
    # Named both ways (a part of the same UID came twice): what failed is not taken for stored.
    stored = {uid: digest for uid, digest in stored.items() if uid not in failed}
    nameless = [item for item in _items(document, FAILED) if not _text(item, SOP_UID)]
    others = [_reason(item) for item in (*nameless, *_items(document, OTHER_FAILURES))]
    return StoreAnswer(stored, failed, tuple(others))


def _documents(media_type: MediaType, body: bytes) -> list[Document]:
    text = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    try:
        if text.startswith(b"<"):
            found: Any = _from_xml(text) if "html" not in media_type.type else []
        else:
            found = json.loads(text)
    except (ValueError, RecursionError, ElementTree.ParseError):
        return []
    found = found if isinstance(found, list) else [found]
    return [document for document in found if isinstance(document, dict)]


def _values(item: Document, tag: str) -> Sequence[Any]:
    member = item.get(tag)
    values = member.get("Value") if isinstance(member, dict) else None
    return values if isinstance(values, list) else ()


def _items(document: Document, tag: str) -> Iterator[Document]:
    return (value for value in _values(document, tag) if isinstance(value, dict))


def _text(item: Document, tag: str) -> str:
    value = next(iter(_values(item, tag)), "")
    return value.strip("\0 ") if isinstance(value, str) else ""


def _digest(item: Document) -> str:
    return _text(item, DIGEST).lower() if _text(item, DIGEST_CREATOR_TAG) == DIGEST_CREATOR else ""


def _reason(item: Document) -> int:
    value = next(iter(_values(item, REASON)), None)
    try:
        return int(value) if isinstance(value, int | str) else PROCESSING_FAILURE
    except ValueError:
        return PROCESSING_FAILURE


def _from_xml(text: bytes) -> list[Document]:
    """Read Native DICOM Models (PS3.19 A.1). Declarations of types and entities are refused."""
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        return []
    return [_from_element(ElementTree.fromstring(text))]


def _from_element(model: ElementTree.Element) -> Document:
    document: dict[str, Any] = {}
    for attribute in model:
        tag = attribute.get("tag", "").upper()
        values = [_from_element(one) if _name(one) == "Item" else one.text or "" for one in attribute]
        document[tag] = {"Value": values}
    return document


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
