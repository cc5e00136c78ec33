"""WADO-RS (PS3.18 10.4): whole instances, as stored, streamed from disk."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from flask import Blueprint, Response, request

from appliance.archive.reading import StoredInstance
from appliance.dicomweb.media_types import DICOM, MULTIPART, Offer
from appliance.dicomweb.multipart import message_length, part_head
from appliance.dicomweb.problems import Problem
from appliance.web.answers import Refused, negotiated, warn
from appliance.web.resources import check_uids, url_of
from appliance.web.services import services
from appliance.web.streams import multipart_files, read_file, zipped_files

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


def retrieve(study_uid: str, series_uid: str = "", sop_uid: str = "") -> Response:
    """Answer the instances under a path: 200, 206 when some are not held here; 404, 406."""
    known = stored(study_uid, series_uid, sop_uid)
    held = [instance for instance in known if instance.held]
    if not held:
        raise Refused(Problem(404, "the bytes under these UIDs are not held here any more"))
    offer = _chosen(held, single=bool(sop_uid))
    answer = _ANSWERS[offer.type](held)
    if len(held) < len(known):
        answer.status_code = 206
        warn(answer, [f"{len(known) - len(held)} instances are not held here any more"])
    return answer


def _chosen(instances: Sequence[StoredInstance], *, single: bool) -> Offer:
    """Negotiate once per transfer syntax in store: every instance must be acceptable as it is."""
    chosen: Offer | None = None
    for syntax in sorted({instance.transfer_syntax_uid for instance in instances}):
        offers = [Offer(MULTIPART, part=DICOM, transfer_syntax=syntax), Offer(ZIP, transfer_syntax=syntax)]
        if single:
            offers.insert(1, Offer(DICOM, transfer_syntax=syntax))
        chosen = negotiated(*offers)
    assert chosen is not None
    return chosen


def _multipart(instances: Sequence[StoredInstance]) -> Response:
    boundary = uuid.uuid4().hex
    heads = [
        part_head(boundary, {
            "Content-Type": f"{DICOM}; transfer-syntax={instance.transfer_syntax_uid}",
            "Content-Location": url_of(instance),
            "Content-Length": str(instance.file_size),
        })
        for instance in instances
    ]  # fmt: skip
    length = message_length(heads, (instance.file_size for instance in instances), boundary)
    answer = Response(
        multipart_files(heads, instances, boundary),
        content_type=f'{MULTIPART}; type="{DICOM}"; boundary={boundary}',
    )
    answer.content_length = length
    return answer


def _single(instances: Sequence[StoredInstance]) -> Response:
    (instance,) = instances
    answer = Response(
        read_file(instance.path, instance.file_size),
        content_type=f"{DICOM}; transfer-syntax={instance.transfer_syntax_uid}",
    )
    answer.content_length = instance.file_size
    answer.headers["Content-Disposition"] = f'attachment; filename="{instance.sop_uid}.dcm"'
    answer.set_etag(instance.digest)
    answer.make_conditional(request)
    return answer


def _zip(instances: Sequence[StoredInstance]) -> Response:
    answer = Response(zipped_files(instances), content_type=ZIP)
    answer.headers["Content-Disposition"] = f'attachment; filename="{instances[0].study_uid}.zip"'
    return answer


_ANSWERS = {MULTIPART: _multipart, DICOM: _single, ZIP: _zip}
