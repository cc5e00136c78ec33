"""Resumable uploads of single huge objects: tus 1.0 with creation, ended by a store response (PS3.18 10.5.3).

The protocol is in docs/forwarding-stow.md, its client in dicomweb/offset_upload.py. An offset in an
answer is on disk. The last piece is answered once the object is stored like any other, with its receipt; a
repeat of it, empty and at the full offset, gets the same answer, after a restart too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from flask import Blueprint, Response, current_app, g, request

from appliance.archive.group2 import ByteStream
from appliance.archive.ingest import Check
from appliance.archive.upload import Upload, WrongOffset
from appliance.archive.upload_facts import Answer, Owner
from appliance.archive.uploads import Occupied, Uploads
from appliance.central.addresses import instance_url
from appliance.central.answers import problem_answer
from appliance.central.registry import Site
from appliance.central.upload_ending import AnnouncedFile, DigestDiffers
from appliance.central.upload_metrics import UploadMetrics
from appliance.dicomweb.media_types import DICOM_JSON
from appliance.dicomweb.offset_upload import OFFSET_TYPE, VERSION
from appliance.dicomweb.problems import Problem, problem_of
from appliance.dicomweb.store_report import Failure, FailureReason, Reference, StoreReport, reason_of
from appliance.dicomweb.storing import success_of
from appliance.dicomweb.upload_metadata import parse_metadata
from appliance.errors import ApplianceError, PeerError, TooLarge, Unacceptable
from appliance.failpoints import failpoint
from appliance.logs import get_logger
from appliance.model.records import Result, Stored

ROOT: Final = "/edge/v1/uploads"
EXTENSION: Final = "appliance.uploads"
# How long a repeat of the last piece waits for the one before it, which may still be storing the object.
ENDING_SECONDS: Final = 20.0
_TUS: Final[Mapping[str, str]] = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
HELD: Final = ("study_uid", "series_uid", "sop_uid", "sop_class_uid", "transfer_syntax_uid", "digest")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UploadDoor:
    """What the uploads of a receiver work with.

    `receive` stores an object for a site, checked by the last argument, and writes the receipt: both are
    durable on return. `holds` says whether these UIDs with this digest are (still) here for a site; `confirm`
    writes the receipts once more for one that asks again.
    """

    uploads: Uploads
    receive: Callable[[Site, ByteStream, Check], Stored]
    holds: Callable[[Site, Mapping[str, str]], bool]
    metrics: UploadMetrics
    confirm: Callable[[Site, Sequence[Stored]], None]


def blueprint() -> Blueprint:
    """Return the uploads' resources. The application puts an UploadDoor into `extensions`, the Site into `g.site`."""
    uploads = Blueprint("uploads", __name__, url_prefix=ROOT)
    options: dict[str, Any] = {"provide_automatic_options": False}
    uploads.add_url_rule("", "offer", offer, methods=["OPTIONS"], **options)
    uploads.add_url_rule("", "begin", begin, methods=["POST"], **options)
    uploads.add_url_rule("/<name>", "reached", reached, methods=["HEAD"], **options)
    uploads.add_url_rule("/<name>", "append", append, methods=["PATCH"], **options)
    uploads.before_request(_speaks_tus)
    uploads.after_request(_tus)
    for kind in (WrongOffset, Occupied):
        uploads.register_error_handler(kind, _conflict)
    return uploads


def offer() -> Response:
    """Say that uploads are taken, and how long they may be."""
    headers = {"Tus-Version": VERSION, "Tus-Extension": "creation", "Tus-Max-Size": str(_door().uploads.longest)}
    return Response(status=204, headers=headers)


def begin() -> Response:
    """Begin an upload, or find the one that was begun: 201 with its place and the offset reached.

    400 for metadata that are none, 413 too long, 507 no room.
    """
    door, site = _door(), _site()
    length = _number("Upload-Length")
    announced = parse_metadata(request.headers.get("Upload-Metadata", ""))
    if length < 1:
        raise PeerError("an upload without bytes")
    upload = door.uploads.begin(_owner(site), length, announced.labels(), lambda answer: door.holds(site, answer.held))
    if upload.answer is not None:
        door.confirm(site, [_known(upload.answer)])
    place = f"{request.script_root}{ROOT}/{upload.name}"
    return Response(status=201, headers={"Location": place, "Upload-Offset": str(upload.offset)})


def reached(name: str) -> Response:
    """Say how far an upload has come: 200, or 404 for one that this site has not."""
    upload = _door().uploads.find(_owner(_site()), name)
    headers = {"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.facts.length)}
    return Response(status=200, headers=headers)


def append(name: str) -> Response:
    """Take a piece: 204 with the offset that is on disk now, the store response once all is there.

    400, 411, 415 for a request that is none, 404, 409 for another offset or another writer, 507 no room.
    """
    door, site = _door(), _site()
    offset, length = _number("Upload-Offset"), request.content_length
    if request.headers.get("Content-Type") != OFFSET_TYPE:
        return problem_answer(Problem(415, f"pieces are taken as {OFFSET_TYPE}"))
    if length is None:
        return problem_answer(Problem(411, "a piece says how long it is"))
    upload = door.uploads.find(_owner(site), name)
    if offset + length > upload.facts.length:
        raise PeerError("the piece goes beyond the announced length")
    with door.uploads.writing(upload, 0 if length else ENDING_SECONDS):
        if not (upload.complete and offset == upload.offset and not length):
            door.uploads.append(upload, offset, request.stream)
        if not upload.complete:
            return Response(status=204, headers={"Upload-Offset": str(upload.offset)})
        answer = upload.answer or _end(door, site, upload)
    headers = {"Upload-Offset": str(upload.facts.length)}
    return Response(answer.text, answer.status, headers, content_type=DICOM_JSON)


def _end(door: UploadDoor, site: Site, upload: Upload) -> Answer:
    """Store a complete upload and keep what its sender is told. Raises what may pass by itself: DiskFull, say."""
    try:
        with AnnouncedFile(upload) as file:
            stored = door.receive(site, file, file.check)
    except (Unacceptable, PeerError) as error:
        log.warning("upload refused", site=site.name, sop_uid=upload.facts.labels["sop_uid"], reason=error.message)
        answer, result = _refusal(upload, error), "refused"
    else:
        failpoint("upload.after_ingest")
        answer, result = _success(stored), stored.result.value
    door.uploads.finish(upload, answer)
    door.metrics.note(result)
    return answer


def _success(stored: Stored) -> Answer:
    report = StoreReport([success_of(stored, instance_url)], [])
    held = {name: getattr(stored, name) for name in HELD}
    return Answer(200, json.dumps(report.document()), held)


def _known(answer: Answer) -> Stored:
    """Return what an earlier answer was about."""
    return Stored(**answer.held, result=Result.DUPLICATE, version_id=0)


def _refusal(upload: Upload, error: ApplianceError) -> Answer:
    """Return the answer about an object that is not stored: damaged on the way, it may come again."""
    reason = FailureReason.PROCESSING_FAILURE if isinstance(error, DigestDiffers) else reason_of(error)
    reference = Reference(sop_uid=upload.facts.labels["sop_uid"])
    status = 413 if isinstance(error, TooLarge) else 409
    return Answer(status, json.dumps(StoreReport([], [Failure(reference, reason)]).document()))


def _door() -> UploadDoor:
    return cast(UploadDoor, current_app.extensions[EXTENSION])


def _site() -> Site:
    return cast(Site, g.site)


def _owner(site: Site) -> Owner:
    return Owner(site.name, site.tenant)


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not _NUMBER.fullmatch(text):
        raise PeerError(f"the header {header} is no number")
    return int(text)


def _speaks_tus() -> Response | None:
    if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != VERSION:
        refusal = problem_answer(Problem(412, f"Tus-Resumable {VERSION} is spoken here"))
        refusal.headers["Tus-Version"] = VERSION
        return refusal
    return None


def _tus(answer: Response) -> Response:
    for name, value in _TUS.items():
        answer.headers[name] = value
    return answer


def _conflict(error: ApplianceError) -> Response:
    problem = problem_of(error)
    return problem_answer(Problem(409, problem.detail, problem.hint))
