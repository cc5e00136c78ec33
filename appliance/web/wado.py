"""WADO-RS (PS3.18 10.4): whole instances, streamed from disk as stored, or transcoded where that is asked."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from collections.abc import Set as Those
from io import SEEK_END
from itertools import chain

from flask import Blueprint, Response, request, stream_with_context

from appliance.archive.reading import StoredInstance
from appliance.dicomweb.media_types import DICOM, MULTIPART, Offer
from appliance.dicomweb.multipart import closing, message_length, part_head
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.stored_files import CHUNK, read_file
from appliance.model.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from appliance.web.accelerated import handed_over
from appliance.web.answers import Refused, negotiated, warn
from appliance.web.drawings import known_to_client
from appliance.web.ranges import ranged
from appliance.web.resources import check_uids, url_of
from appliance.web.services import services
from appliance.web.streams import multipart_files, zipped_files
from appliance.web.transcoding import can_transcode, transcoded

ZIP = "application/zip"

PATHS = {
    "study": "/studies/<study_uid>",
    "series": "/studies/<study_uid>/series/<series_uid>",
    "instance": "/studies/<study_uid>/series/<series_uid>/instances/<sop_uid>",
}


def blueprint() -> Blueprint:
    """Return the three retrieve resources."""
    wado = Blueprint("wado", __name__)
    for name, path in PATHS.items():
        wado.add_url_rule(path, name, retrieve, methods=["GET"])
    return wado


def stored(study_uid: str, series_uid: str = "", sop_uid: str = "") -> list[StoredInstance]:
    """Return what is stored under these UIDs, or end with 400 or 404."""
    check_uids(*filter(None, (study_uid, series_uid, sop_uid)))
    instances = services().archive.reading.instances(study_uid, series_uid, sop_uid)
    if not instances:
        raise Refused(Problem(404, "nothing is stored under these UIDs"))
    return instances


def held_instance(study_uid: str, series_uid: str, sop_uid: str) -> StoredInstance:
    """Return one instance whose bytes are here, fetched back if need be; ends with 400, 404, or as `here` does."""
    (instance,) = stored(study_uid, series_uid, sop_uid)
    return services().recalling.here(instance)


def retrieve(study_uid: str, series_uid: str = "", sop_uid: str = "") -> Response:
    """Answer the instances under a path: 200, 206 when some are lost; 404, 406, and as `Recalling.here` does."""
    known = stored(study_uid, series_uid, sop_uid)
    recalling = services().recalling
    held = [instance for instance in known if recalling.can_give(instance)] or [recalling.here(known[0])]
    offers = _chosen(held, single=bool(sop_uid))
    decoded = frozenset(syntax for syntax, offer in offers.items() if offer.decoded)
    answer = _ANSWERS[next(iter(offers.values())).type](held, decoded)
    if len(held) < len(known):
        answer.status_code = 206
        warn(answer, [f"{len(known) - len(held)} instances are not held here any more"])
    return answer


def _chosen(instances: Sequence[StoredInstance], *, single: bool) -> dict[str, Offer]:
    """Negotiate once per transfer syntax in store; all instances go in one kind of answer."""
    chosen: dict[str, Offer] = {}
    types: tuple[str, ...] = (MULTIPART, DICOM, ZIP) if single else (MULTIPART, ZIP)
    for syntax in sorted({instance.transfer_syntax_uid for instance in instances}):
        offers = [_offer(type_, syntax, decoded=False) for type_ in types]
        if can_transcode(syntax):
            offers += [_offer(type_, EXPLICIT_VR_LITTLE_ENDIAN, decoded=True) for type_ in types if type_ != ZIP]
        chosen[syntax] = negotiated(*offers)
        types = (chosen[syntax].type,)
    return chosen


def _offer(type_: str, syntax: str, *, decoded: bool) -> Offer:
    return Offer(type_, part=DICOM if type_ == MULTIPART else "", transfer_syntax=syntax, decoded=decoded)


def _multipart(instances: Sequence[StoredInstance], decoded: Those[str]) -> Response:
    boundary = uuid.uuid4().hex
    content_type = f'{MULTIPART}; type="{DICOM}"; boundary={boundary}'
    if decoded or not all(instance.held for instance in instances):
        return Response(_mixed(instances, decoded, boundary), content_type=content_type)
    heads = [_head(boundary, instance, instance.transfer_syntax_uid, instance.file_size) for instance in instances]
    length = message_length(heads, (instance.file_size for instance in instances), boundary)
    answer = Response(multipart_files(heads, instances, boundary), content_type=content_type)
    answer.content_length = length
    return answer


def _head(boundary: str, instance: StoredInstance, syntax: str, size: int) -> bytes:
    return part_head(boundary, {
        "Content-Type": f"{DICOM}; transfer-syntax={syntax}",
        "Content-Location": url_of(instance),
        "Content-Length": str(size),
    })  # fmt: skip


def _mixed(instances: Sequence[StoredInstance], decoded: Those[str], boundary: str) -> Iterator[bytes]:
    """Return a message in which some instances are transcoded, or fetched back, one at a time, while it is sent.

    The first is made before the headers go out, so that what no decoder can read has an answer of its
    own; a later one that fails breaks the message off.
    """

    def parts() -> Iterator[bytes]:
        for instance in map(services().recalling.here, instances):
            if instance.transfer_syntax_uid in decoded:
                with transcoded(instance) as file:
                    size = file.seek(0, SEEK_END)
                    file.seek(0)
                    yield _head(boundary, instance, EXPLICIT_VR_LITTLE_ENDIAN, size)
                    while chunk := file.read(CHUNK):
                        yield chunk
            else:
                yield _head(boundary, instance, instance.transfer_syntax_uid, instance.file_size)
                yield from read_file(instance.path, instance.file_size)
        yield closing(boundary)

    return _begun(parts())


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the same bytes with the first of them made already: what goes wrong there has an answer of its own."""
    first = next(pieces)
    return chain((first,), stream_with_context(pieces))


def _single(instances: Sequence[StoredInstance], decoded: Those[str]) -> Response:
    instance = services().recalling.here(instances[0])
    return decoded_file(instance) if instance.transfer_syntax_uid in decoded else whole_file(instance)


def whole_file(instance: StoredInstance) -> Response:
    """Answer the file of one instance as it is stored: 200, 206, 304, 416."""

    def read(start: int, size: int) -> Iterator[bytes]:
        return read_file(instance.path, size, start)

    content_type = f"{DICOM}; transfer-syntax={instance.transfer_syntax_uid}"
    answer = ranged(read, instance.file_size, content_type, f"{instance.digest}-{instance.offset}")
    root = services().archive.settings.root
    return _named(handed_over(request, answer, instance.path, instance.file_size, root), instance)


def decoded_file(instance: StoredInstance) -> Response:
    """Answer one instance in explicit VR little endian: 200, 206, 304, 416; the statuses of CodecFault."""
    etag = f"{instance.digest}-decoded"
    known = known_to_client(etag)
    if known is not None:
        return known
    file = transcoded(instance)
    length = file.seek(0, SEEK_END)

    def read(start: int, size: int) -> Iterator[bytes]:
        file.seek(start)
        while size > 0 and (chunk := file.read(min(CHUNK, size))):
            size -= len(chunk)
            yield chunk

    content_type = f"{DICOM}; transfer-syntax={EXPLICIT_VR_LITTLE_ENDIAN}"
    answer = ranged(read, length, content_type, etag)
    answer.call_on_close(file.close)
    return _named(answer, instance)


def _named(answer: Response, instance: StoredInstance) -> Response:
    answer.headers["Content-Disposition"] = f'attachment; filename="{instance.sop_uid}.dcm"'
    return answer


def _zip(instances: Sequence[StoredInstance], decoded: Those[str]) -> Response:
    answer = Response(_begun(zipped_files(instances, services().recalling.here)), content_type=ZIP)
    answer.headers["Content-Disposition"] = f'attachment; filename="{instances[0].study_uid}.zip"'
    return answer


_ANSWERS = {MULTIPART: _multipart, DICOM: _single, ZIP: _zip}
