"""STOW-RS (PS3.18 10.5): instances in, streamed through the same ingest as every other door."""

from __future__ import annotations

import re
from collections import Counter
from io import BytesIO

from flask import Blueprint, Response, g, request

from appliance.archive.group2 import NotPart10, read_labels
from appliance.dicomweb.dicom_xml import to_xml
from appliance.dicomweb.media_types import (
    DICOM,
    DICOM_JSON,
    DICOM_XML,
    JSON,
    MULTIPART,
    MediaType,
    Offer,
    parse_media_type,
)
from appliance.dicomweb.multipart import MultipartError, MultipartReader, Part
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.store_report import Failure, FailureReason, Reference, StoreReport, Success, reason_of
from appliance.errors import ArchiveError, ArchiveFailed, PeerError
from appliance.model.records import Door, Origin, Stored
from appliance.model.uid import is_valid_uid
from appliance.web.annotations import check_of
from appliance.web.answers import Refused, json_answer, negotiated, problem_answer
from appliance.web.principal import Principal
from appliance.web.resources import check_uids, instance_url, study_url
from appliance.web.services import services

AS_JSON = Offer(DICOM_JSON, aliases=(JSON,))
AS_XML = Offer(DICOM_XML)
MOST_PARTS = 100_000
LABEL_BYTES = 4096
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def blueprint() -> Blueprint:
    """Return the two store resources."""
    stow = Blueprint("stow", __name__)
    stow.add_url_rule("/studies", "studies", store, methods=["POST"])
    stow.add_url_rule("/studies/<study_uid>", "study", store, methods=["POST"])
    return stow


def store(study_uid: str = "") -> Response:
    """Store every part: 200 all, 202 some, 409 none; 400 for a broken message, 403 without permission, 415 as ever.

    What is reported as stored is durable. Parts before the place where a message breaks stay stored.
    """
    check_uids(*filter(None, (study_uid,)))
    offer = negotiated(AS_JSON, AS_XML)
    session = _Session(study_uid)
    try:
        session.receive(MultipartReader(request.stream, _message_type()["boundary"]))
    except MultipartError as error:
        problem = Problem(400, error.message, error.hint)
        return problem_answer(problem, stored=[success.reference.sop_uid for success in session.successes])
    answer = _answer(session.report(), offer)
    # PS3.18 has no word for it: what became of each kind, for people who upload the same files twice.
    answer.headers["Stored-As"] = ", ".join(f"{result}={count}" for result, count in session.results.items())
    return answer


def _message_type() -> MediaType:
    """Return the request's media type; end with 415 for what we do not take."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(Problem(415, "compressed request bodies are not accepted"))
    media_type = parse_media_type(request.headers.get("Content-Type", ""))
    if media_type is None or media_type.type != MULTIPART or media_type["type"].lower() not in ("", DICOM):
        raise Refused(Problem(415, f'instances are taken as {MULTIPART}; type="{DICOM}"'))
    return media_type


def _answer(report: StoreReport, offer: Offer) -> Response:
    document = report.document()
    if offer is AS_JSON:
        answer = json_answer(document, report.status, DICOM_JSON)
    else:
        answer = Response(to_xml(document), report.status, content_type=DICOM_XML)
    if report.study_url:
        answer.headers["Content-Location"] = report.study_url
    if report.status == 503:
        answer.headers["Retry-After"] = "60"
    return answer


class _Watched:
    """A part on its way to the archive; its first bytes are remembered for the sake of a refusal."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._head = bytearray()

    def read(self, size: int, /) -> bytes:
        data = self._part.read(size)
        if len(self._head) < LABEL_BYTES:
            self._head += data[: LABEL_BYTES - len(self._head)]
        return data

    def reference(self) -> Reference:
        """Return the UIDs that group 2 claims, as far as they are UIDs."""
        try:
            labels, _ = read_labels(BytesIO(self._head))
        except NotPart10:
            return Reference()
        uids = (labels.sop_class_uid, labels.sop_uid)
        return Reference(*uids) if all(map(is_valid_uid, uids)) else Reference()


class _Session:
    """One store request."""

    def __init__(self, study_uid: str) -> None:
        self._study_uid = study_uid
        self._studies: set[str] = set()
        self.successes: list[Success] = []
        self.failures: list[Failure] = []
        self.results: Counter[str] = Counter()
        principal: Principal = g.principal
        self._check = check_of(principal)
        trace = request.headers.get("traceparent", "")
        self._origin = Origin(
            Door.STOW,
            principal.name,
            address=request.remote_addr or "",
            traceparent=trace if _TRACEPARENT.fullmatch(trace) else "",
        )

    def receive(self, message: MultipartReader) -> None:
        """Store part after part. Raises MultipartError, ArchiveFailed."""
        for number, part in enumerate(message.parts()):
            if number >= MOST_PARTS:
                raise MultipartError(f"the message has more than {MOST_PARTS} parts")
            self._receive_part(part)

    def _receive_part(self, part: Part) -> None:
        media_type = parse_media_type(part.headers.get("content-type", DICOM))
        if media_type is None or media_type.type != DICOM:
            self.failures.append(Failure(Reference(), FailureReason.CANNOT_UNDERSTAND))
            return
        watched = _Watched(part)
        try:
            stored = services().archive.ingest.receive_file(
                watched, self._origin, study_uid=self._study_uid, check=self._check
            )
        except (MultipartError, ArchiveFailed):
            raise
        except (ArchiveError, PeerError) as error:
            self.failures.append(Failure(watched.reference(), reason_of(error)))
        else:
            self._note(stored)

    def _note(self, stored: Stored) -> None:
        self._studies.add(stored.study_uid)
        self.results[stored.result.value] += 1
        url = instance_url(stored.study_uid, stored.series_uid, stored.sop_uid)
        self.successes.append(Success(Reference(stored.sop_class_uid, stored.sop_uid), url))

    def report(self) -> StoreReport:
        """Return what became of all parts."""
        single = next(iter(self._studies)) if len(self._studies) == 1 else self._study_uid
        url = study_url(single) if single and self.successes else ""
        return StoreReport(self.successes, self.failures, url)
