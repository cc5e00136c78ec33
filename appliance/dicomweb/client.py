"""A client of a DICOMweb service: stores instances (STOW-RS), reads one back (WADO-RS, PS3.18 10.4 and 10.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.archive.group2 import NotPart10, read_labels
from appliance.dicomweb.endpoint import Endpoint
from appliance.dicomweb.faults import NoAnswer
from appliance.dicomweb.media_types import DICOM, DICOM_JSON, DICOM_XML, MULTIPART
from appliance.dicomweb.multipart import ByteSource, MultipartError, MultipartReader
from appliance.dicomweb.outgoing import Instance, Message
from appliance.dicomweb.store_answer import StoreAnswer, parse
from appliance.dicomweb.transport import Answer, Transport
from appliance.errors import PeerError

BLOCK: Final = 256 << 10
ABSENT: Final = frozenset({404, 410})
STORE_ACCEPT: Final = f"{DICOM_JSON}, {DICOM_XML};q=0.5"
READ_ACCEPT: Final = f'{MULTIPART}; type="{DICOM}"; transfer-syntax=*'


class Refused(PeerError):
    """The service answered with a status that is no success."""

    def __init__(self, message: str, *, hint: str = "", reply: Reply | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reply = reply or Reply(0, "")


class NotDicom(PeerError):
    """The service answers a request for an instance with something else: a web page, say."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer read to its end. `text` may hold anything: it is for sorting, never for messages."""

    status: int
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    text: bytes = b""
    report: StoreAnswer = field(default_factory=StoreAnswer)


@dataclass(frozen=True, slots=True)
class Held:
    """What a service holds of an instance: SHA-256 (hex) and length of the data set after group 2."""

    digest: str
    transfer_syntax_uid: str
    length: int


# What a service gives for an instance that is no DICOM file: equal to nothing.
UNREADABLE: Final = Held("", "", 0)


class DicomwebClient:
    """Talks to one service from one thread. Nothing is opened before the first request."""

    def __init__(
        self, endpoint: Endpoint, pace: Callable[[int], None] = lambda _size: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """Take the service, who is told of every block sent, and who says when to stop (see Transport)."""
        self.endpoint = endpoint
        self.transport = Transport(endpoint, pace, stopping)

    def store(self, instances: Sequence[Instance]) -> Reply:
        """Send instances in one request and return the reply, whatever its status.

        The body is streamed from disk with its exact Content-Length; memory does not grow with
        it. A repeat is as safe as the service makes it. Raises NotReached, NoAnswer (which may
        have been carried out), NotTrusted, Stopped, ConfigurationError, Damaged.
        """
        message = Message(instances)
        headers = {"Content-Type": message.content_type, "Accept": STORE_ACCEPT}
        with self.transport.send("POST", self.endpoint.studies(), headers, message) as answer:
            return read_reply(answer)

    def knock(self) -> Reply:
        """Send a store request without instances: any reply tells that the service takes such requests."""
        return self.store(())

    def read(self, study_uid: str, series_uid: str, sop_uid: str, *, most: int) -> Held | None:
        """Read an instance back as it is stored and digest it; None when the service does not hold it.

        At most `most` bytes of data set are read: what is longer is something else anyway, and
        its digest is that of its beginning. Raises NotReached, NoAnswer, NotTrusted, Stopped,
        ConfigurationError, Refused, NotDicom.
        """
        url = self.endpoint.instance(study_uid, series_uid, sop_uid)
        with self.transport.send("GET", url, {"Accept": READ_ACCEPT}) as answer:
            if answer.status in ABSENT:
                answer.text()
                return None
            if answer.status != 200:
                raise refused(read_reply(answer))
            return _held(answer, most)

    def close(self) -> None:
        """Close the connections. Safe to repeat; the next request opens them anew."""
        self.transport.close()


def refused(reply: Reply) -> Refused:
    """Return a reply as an error."""
    return Refused(f"the service answered {reply.status}", reply=reply)


def read_reply(answer: Answer) -> Reply:
    """Read an answer to its end. Raises NoAnswer."""
    text = answer.text()
    report = parse(answer.media_type, text)
    return Reply(answer.status, answer.media_type.type, answer.headers, text, report)


def _held(answer: Answer, most: int) -> Held:
    media_type = answer.media_type
    try:
        if media_type.type == MULTIPART:
            part = next(MultipartReader(answer, media_type["boundary"]).parts(), None)
            if part is None:
                raise NotDicom("the answer holds no instance")
            return _digested(part, most)
        if media_type.type == DICOM:
            return _digested(answer, most)
    except MultipartError as error:
        raise NoAnswer("the instance was cut short while it was read back") from error
    raise NotDicom(f"the answer is {media_type.type or 'untyped'}, not DICOM")


def _digested(source: ByteSource, most: int) -> Held:
    try:
        labels, block = read_labels(source)
    except NotPart10:
        return UNREADABLE
    digest, length = hashlib.sha256(), 0
    while block and length <= most:
        digest.update(block)
        length += len(block)
        block = source.read(BLOCK)
    return Held(digest.hexdigest(), labels.transfer_syntax_uid, length)
