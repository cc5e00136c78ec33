"""WADO-RS metadata and bulk data (PS3.18 10.4.1.1.2, 10.4.1.1.5)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO

from flask import Blueprint, Response, request

from appliance.archive.reading import StoredInstance, StoredSeries
from appliance.dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, MULTIPART, OCTET_STREAM, Offer
from appliance.dicomweb.metadata import Place, Unreadable
from appliance.dicomweb.multipart import closing, message_length, part_head
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.stored_files import CHUNK
from appliance.dicomweb.values import WORDS, little_endian
from appliance.web import wado
from appliance.web.answers import Refused, compact_json, negotiated, warn
from appliance.web.documents import document_of, read_instance
from appliance.web.gathered import Gathered
from appliance.web.gathering import is_quiet, lines_of
from appliance.web.ranges import cut, ranged
from appliance.web.resources import base_url, check_uids
from appliance.web.series_metadata import FORMAT
from appliance.web.services import services
from appliance.web.streams import encoded_in, open_stored, read_span

AS_JSON = Offer(DICOM_JSON, aliases=(JSON,))
AS_XML = Offer(MULTIPART, part=DICOM_XML)
BULK_PARTS = Offer(MULTIPART, part=OCTET_STREAM)
BULK = Offer(OCTET_STREAM)


def blueprint() -> Blueprint:
    """Return the metadata resources of the three levels and the bulk data resource."""
    metadata = Blueprint("metadata", __name__)
    for name, path in wado.PATHS.items():
        metadata.add_url_rule(f"{path}/metadata", name, retrieve, methods=["GET"])
    path = f"{wado.PATHS['instance']}/bulkdata/<path:place>"
    metadata.add_url_rule(path, "bulkdata", bulkdata, methods=["GET"])
    return metadata


def retrieve(study_uid: str, series_uid: str = "", sop_uid: str = "") -> Response:
    """Answer the metadata of every instance under a path: 200, 304; 404, 406.

    An instance whose data set cannot be read is answered from the index, with a Warning.
    """
    check_uids(*filter(None, (study_uid, series_uid, sop_uid)))
    offer = negotiated(AS_JSON, AS_XML)
    if sop_uid:
        return _answer(_instances(wado.stored(study_uid, series_uid, sop_uid), offer))
    series = services().archive.reading.series(study_uid, series_uid)
    if not series:
        raise Refused(Problem(404, "nothing is stored under these UIDs"))
    etag = _etag(series, offer)
    known = etag in request.if_none_match
    answer = Response(status=304) if known else _answer(_all_series(series, offer))
    if "Warning" not in answer.headers:
        answer.set_etag(etag)
    return answer


def _etag(series: Sequence[StoredSeries], offer: Offer) -> str:
    revisions = (f"{one.series_uid} {one.revision}" for one in series)
    words = (FORMAT, offer.type, base_url(), *revisions)
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:40]


def _instances(instances: Sequence[StoredInstance], offer: Offer) -> Gathered:
    gathered = Gathered(services().spool, offer is AS_JSON)
    recalling = services().recalling
    for instance in instances:
        one = recalling.here(instance) if recalling.can_give(instance) else instance
        document, whole = document_of(services().archive, one, base_url())
        gathered.add(compact_json(document))
        gathered.broken += not whole
    return gathered


def _all_series(series: Sequence[StoredSeries], offer: Offer) -> Gathered:
    """Gather from what is kept; what is not is read, and kept if its series is quiet."""
    tools, root = services(), base_url()
    gathered = Gathered(tools.spool, offer is AS_JSON)
    for one in series:
        if _from_kept(one, root, gathered):
            continue
        make = partial(lines_of, tools.archive, one)
        whole = _fetched_back(one)
        room = whole and is_quiet(one, tools.clock) and tools.archive.numbers.disk().accepting
        if room and tools.series_metadata.write(one, make) and _from_kept(one, root, gathered):
            continue
        for line in make(root):
            gathered.add(line.json)
            gathered.broken += not line.whole
    return gathered


def _fetched_back(series: StoredSeries) -> bool:
    """Have the bytes of a series here, as far as they are to be had; say whether none is missing."""
    recalling = services().recalling
    known = services().archive.reading.instances(series.study_uid, series.series_uid)
    away = [one for one in known if not one.held]
    recalling.all_here([one for one in away if recalling.can_give(one)])
    return all(recalling.can_give(one) for one in away)


def _from_kept(series: StoredSeries, root: str, gathered: Gathered) -> bool:
    before = gathered.place()
    kept = services().series_metadata.read(series, root, gathered.add)
    if kept is None:
        gathered.back_to(before)
        return False
    gathered.broken += kept.broken
    return True


def _answer(gathered: Gathered) -> Response:
    file = gathered.finish()
    answer = Response(_drain(file), content_type=gathered.content_type)
    answer.call_on_close(file.close)
    answer.content_length = gathered.length
    if gathered.broken:
        count = f"{gathered.broken} instances"
        warn(answer, [f"The metadata of {count} are incomplete: not all attributes could be read"])
    return answer


def _drain(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


def bulkdata(study_uid: str, series_uid: str, sop_uid: str, place: str) -> Response:
    """Answer one bulk value of an instance, in little endian: 200, 206, 304; 404, 406, 416."""
    instance = wado.held_instance(study_uid, series_uid, sop_uid)
    offer = negotiated(BULK, BULK_PARTS)
    try:
        found = read_instance(instance, "")[1].get(place)
    except Unreadable:
        found = None
    if found is None:
        raise Refused(Problem(404, "there is no bulk data at this place"))
    if offer is BULK:
        etag = f"{instance.digest[:40]}-{place.replace('/', '.')}"
        return ranged(partial(_bulk_pieces, instance, found), found.length, OCTET_STREAM, etag)
    return _bulk_part(_bulk_pieces(instance, found, 0, found.length), found.length)


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


def _bulk_pieces(instance: StoredInstance, place: Place, start: int, size: int) -> Iterator[bytes]:
    """Yield bytes [start, start + size) of a bulk value; words to be swapped are read whole."""
    word = WORDS.get(place.vr, 1) if place.big_endian else 1
    first = start // word * word
    last = min(-(-(start + size) // word) * word, place.length)
    with open_stored(instance) as file:
        pieces = read_span(encoded_in(instance, file).source(), place.position + first, last - first)
        swapped = (little_endian(place.vr, data, place.big_endian) for data in pieces)
        yield from cut(swapped, start - first, size)
