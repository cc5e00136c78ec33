"""Storing (PS3.18 10.5): the parts of a message into the archive, through the same ingest as every other door."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from appliance.archive.group2 import NotPart10, read_labels
from appliance.archive.ingest import Check, Ingest
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
from appliance.model.records import Origin, Stored
from appliance.model.uid import is_valid_uid

AS_JSON: Final = Offer(DICOM_JSON, aliases=(JSON,))
AS_XML: Final = Offer(DICOM_XML)
MOST_PARTS: Final = 100_000
LABEL_BYTES: Final = 4096
RETRY_SECONDS: Final = "60"
_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def message_type(content_type: str, encoding: str) -> MediaType | Problem:
    """Return the media type of a store request; 415 for what is not taken."""
    if (encoding or "identity").lower() != "identity":
        return Problem(415, "compressed request bodies are not accepted")
    media_type = parse_media_type(content_type)
    if media_type is None or media_type.type != MULTIPART or media_type["type"].lower() not in ("", DICOM):
        return Problem(415, f'instances are taken as {MULTIPART}; type="{DICOM}"')
    return media_type


def trace_of(header: str) -> str:
    """Return a traceparent header that is one (W3C Trace Context), "" for anything else."""
    return header if _TRACEPARENT.fullmatch(header) else ""


@dataclass
class Storing:
    """One store request. `url_of` makes the address of an instance of its study, series and instance UIDs.

    `study_uid`: the one study that is allowed, any if empty. `check` may refuse a data set. `stored` and
    `results` (how many of each kind) tell what is durable, after a message that breaks off too.
    """

    ingest: Ingest
    origin: Origin
    url_of: Callable[[str, str, str], str]
    check: Check
    study_uid: str = ""
    stored: list[Stored] = field(default_factory=list)
    successes: list[Success] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    results: Counter[str] = field(default_factory=Counter)

    def receive(self, message: MultipartReader) -> None:
        """Store part after part; what is noted as stored is durable. Raises MultipartError, ArchiveFailed."""
        count = 0
        for count, part in enumerate(message.parts(), start=1):
            if count > MOST_PARTS:
                raise MultipartError(f"the message has more than {MOST_PARTS} parts")
            self._receive_part(part)
        if not count:
            # Success about nothing would be taken for success about what got lost on the way.
            raise MultipartError("the message has no part")

    def report(self, study_url: Callable[[str], str]) -> StoreReport:
        """Return what became of all parts; `study_url` makes the address of a study."""
        studies = {one.study_uid for one in self.stored}
        single = next(iter(studies)) if len(studies) == 1 else self.study_uid
        return StoreReport(self.successes, self.failures, study_url(single) if single and self.successes else "")

    def _receive_part(self, part: Part) -> None:
        media_type = parse_media_type(part.headers.get("content-type", DICOM))
        if media_type is None or media_type.type != DICOM:
            self.failures.append(Failure(Reference(), FailureReason.CANNOT_UNDERSTAND))
            return
        watched = _Watched(part)
        try:
            stored = self.ingest.receive_file(watched, self.origin, study_uid=self.study_uid, check=self.check)
        except (MultipartError, ArchiveFailed):
            raise
        except (ArchiveError, PeerError) as error:
            self.failures.append(Failure(watched.reference(), reason_of(error)))
        else:
            self._note(stored)

    def _note(self, stored: Stored) -> None:
        self.stored.append(stored)
        self.results[stored.result.value] += 1
        self.successes.append(success_of(stored, self.url_of))


def success_of(stored: Stored, url_of: Callable[[str, str, str], str]) -> Success:
    """Return what an answer says of an instance that is durable."""
    url = url_of(stored.study_uid, stored.series_uid, stored.sop_uid)
    return Success(Reference(stored.sop_class_uid, stored.sop_uid), url, stored.digest)


def rendered(report: StoreReport, offer: Offer) -> tuple[bytes, str, dict[str, str]]:
    """Return body, content type and further headers of the answer; `offer` is AS_JSON or AS_XML."""
    document = report.document()
    headers = {"Content-Location": report.study_url} if report.study_url else {}
    if report.status == 503:
        headers["Retry-After"] = RETRY_SECONDS
    if offer is AS_JSON:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), DICOM_JSON, headers
    return to_xml(document), DICOM_XML, headers


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
