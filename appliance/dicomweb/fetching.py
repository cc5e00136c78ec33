"""Fetching one whole instance from a DICOMweb service as a stream (WADO-RS, PS3.18 10.4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from appliance.dicomweb.client import ABSENT, READ_ACCEPT, NotDicom, read_reply, refused
from appliance.dicomweb.endpoint import Endpoint
from appliance.dicomweb.media_types import DICOM, MULTIPART
from appliance.dicomweb.multipart import ByteSource, MultipartReader
from appliance.dicomweb.transport import Answer, Transport

BLOCK: Final = 256 << 10


class WholePart:
    """A part of a message as a stream of which `read` gives bytes until its end."""

    def __init__(self, source: ByteSource) -> None:
        """Take what is read."""
        self._source = source

    def read(self, size: int = BLOCK, /) -> bytes:
        """Return at most `size` bytes, b"" at the end. Raises NoAnswer, Stopped, MultipartError when cut short."""
        return self._source.read(size)


@contextmanager
def fetched(transport: Transport, endpoint: Endpoint, uids: tuple[str, str, str]) -> Iterator[WholePart | None]:
    """Lend the DICOM file of an instance (study, series, SOP) as the service stores it; None when it has none.

    No redirect is followed, and nothing but the service's own host is asked. Raises NotReached, NoAnswer,
    NotTrusted, Stopped, ConfigurationError, Refused, NotDicom, MultipartError.
    """
    with transport.send("GET", endpoint.instance(*uids), {"Accept": READ_ACCEPT}) as answer:
        if answer.status in ABSENT:
            answer.text()
            yield None
            return
        if answer.status != 200:
            raise refused(read_reply(answer))
        yield WholePart(_file_in(answer))


def _file_in(answer: Answer) -> ByteSource:
    media_type = answer.media_type
    if media_type.type == DICOM:
        return answer
    if media_type.type == MULTIPART:
        part = next(MultipartReader(answer, media_type["boundary"]).parts(), None)
        if part is None:
            raise NotDicom("the answer holds no instance")
        return part
    raise NotDicom(f"the answer is {media_type.type or 'untyped'}, not DICOM")
