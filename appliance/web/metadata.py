"""WADO-RS metadata and bulk data (PS3.18 10.4.1.1.2, 10.4.1.1.5)."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator, Sequence
from typing import IO, Any

from flask import Blueprint, Response

from appliance.archive.reading import StoredInstance
from appliance.archive.search import Found
from appliance.archive.window import Bytes
from appliance.dicomweb.dicom_json import Member, row_document
from appliance.dicomweb.dicom_xml import to_xml
from appliance.dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, MULTIPART, OCTET_STREAM, Offer
from appliance.dicomweb.metadata import Document, Encoded, Place, Unreadable, read_metadata
from appliance.dicomweb.multipart import closing, message_length, part_head
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.values import little_endian
from appliance.logs import get_logger
from appliance.model.attributes import ATTRIBUTES, Level
from appliance.model.matching import Match, Query
from appliance.web import wado
from appliance.web.answers import Refused, compact_json, negotiated, warn
from appliance.web.resources import url_of
from appliance.web.services import services
from appliance.web.streams import CHUNK

AS_JSON = Offer(DICOM_JSON, aliases=(JSON,))
AS_XML = Offer(MULTIPART, part=DICOM_XML)
BULK_PARTS = Offer(MULTIPART, part=OCTET_STREAM)
BULK = Offer(OCTET_STREAM)
IN_MEMORY = 4 << 20
SOP_INSTANCE_UID = next(attribute for attribute in ATTRIBUTES if attribute.keyword == "SOPInstanceUID")


def blueprint() -> Blueprint:
    """Return the metadata resources of the three levels and the bulk data resource."""
    metadata = Blueprint("metadata", __name__)
    for name, path in wado.PATHS.items():
        metadata.add_url_rule(f"{path}/metadata", name, retrieve, methods=["GET"])
    path = f"{wado.PATHS['instance']}/bulkdata/<path:place>"
    metadata.add_url_rule(path, "bulkdata", bulkdata, methods=["GET"])
    return metadata


def retrieve(study_uid: str, series_uid: str = "", sop_uid: str = "") -> Response:
    """Answer the metadata of every instance under a path: 200; 404, 406.

    An instance whose data set cannot be read is answered from the index, with a Warning.
    """
    instances = wado.stored(study_uid, series_uid, sop_uid)
    offer = negotiated(AS_JSON, AS_XML)
    gathered = _Gathered(instances, offer)
    answer = Response(_drain(gathered.file), content_type=gathered.content_type)
    answer.content_length = gathered.length
    if gathered.unread:
        warn(
            answer,
            [f"The metadata of {gathered.unread} instances are incomplete: not all attributes could be read"],
        )
    return answer


class _Gathered:
    """A whole answer, gathered before its headers go out; a large one in a file of the spool."""

    def __init__(self, instances: Sequence[StoredInstance], offer: Offer) -> None:
        self.unread = 0
        spool = str(services().spool)
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=spool)  # noqa: SIM115
        boundary = uuid.uuid4().hex
        as_json = offer is AS_JSON
        self.content_type = DICOM_JSON if as_json else f'{MULTIPART}; type="{DICOM_XML}"; boundary={boundary}'
        head = part_head(boundary, {"Content-Type": DICOM_XML})
        for number, instance in enumerate(instances):
            document = self._document(instance)
            if as_json:
                self.file.write(b"," if number else b"[")
                self.file.write(compact_json(document))
            else:
                self.file.write(head + to_xml(document))
        self.file.write(b"]" if as_json else closing(boundary))
        self.length = self.file.tell()
        self.file.seek(0)

    def _document(self, instance: StoredInstance) -> Document:
        try:
            return _read(instance)[0]
        except (Unreadable, OSError) as error:
            self.unread += 1
            reason = str(error) if isinstance(error, Unreadable) else type(error).__name__
            get_logger(__name__).warning("metadata unreadable", sop_uid=instance.sop_uid, reason=reason)
            return _indexed(instance)


def _drain(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


def _encoded(instance: StoredInstance, file: Any) -> Encoded:
    return Encoded(file, instance.offset, instance.length, instance.transfer_syntax_uid, instance.assumed_charset)


def _read(instance: StoredInstance) -> tuple[Document, dict[str, Place]]:
    base = f"{url_of(instance)}/bulkdata/"
    with instance.path.open("rb", buffering=0) as file:
        return read_metadata(_encoded(instance, file), lambda path: base + path)


def _indexed(instance: StoredInstance) -> dict[str, Member]:
    query = Query(Level.INSTANCE, (Match(SOP_INSTANCE_UID, "uids", (instance.sop_uid,)),), limit=1)
    row: Found = next(iter(services().archive.search.find(query)), {})
    return row_document(ATTRIBUTES, row)


def bulkdata(study_uid: str, series_uid: str, sop_uid: str, place: str) -> Response:
    """Answer one bulk value of an instance, in little endian: 200; 404, 406."""
    (instance,) = wado.stored(study_uid, series_uid, sop_uid)
    offer = negotiated(BULK, BULK_PARTS)
    try:
        found = _read(instance)[1].get(place)
    except (Unreadable, OSError):
        found = None
    if found is None:
        raise Refused(Problem(404, "there is no bulk data at this place"))
    pieces = _bulk_pieces(instance, found)
    if offer is BULK:
        answer = Response(pieces, content_type=OCTET_STREAM)
        answer.content_length = found.length
        return answer
    return _bulk_part(pieces, found.length)


def _bulk_part(pieces: Iterator[bytes], length: int) -> Response:
    boundary = uuid.uuid4().hex
    head = part_head(boundary, {"Content-Type": OCTET_STREAM, "Content-Length": str(length)})

    def body() -> Iterator[bytes]:
        yield head
        yield from pieces
        yield closing(boundary)

    answer = Response(body(), content_type=f'{MULTIPART}; type="{OCTET_STREAM}"; boundary={boundary}')
    answer.content_length = message_length([head], [length], boundary)
    return answer


def _bulk_pieces(instance: StoredInstance, place: Place) -> Iterator[bytes]:
    with instance.path.open("rb", buffering=0) as file:
        source: Bytes = _encoded(instance, file).source()
        position, end = place.position, place.position + place.length
        while position < end:
            data = source.read_at(position, min(CHUNK, end - position))
            if not data:
                return
            position += len(data)
            yield little_endian(place.vr, data, place.big_endian)
