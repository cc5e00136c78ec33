"""Many pictures in one answer: multipart/related, one part per frame."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Final

from flask import Response, after_this_request

from appliance.archive.reading import StoredInstance
from appliance.codec.faults import COSTLY, CodecFault, Kind
from appliance.dicomweb.media_types import MULTIPART
from appliance.dicomweb.multipart import closing, part_head
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.rendering import Arguments
from appliance.dicomweb.stored_files import CHUNK
from appliance.web.answers import Refused, warn
from appliance.web.drawings import draw, etag_of, known_to_client
from appliance.web.representative import with_pixels
from appliance.web.resources import url_of
from appliance.web.services import services

MOST_PICTURES: Final = 2000
# Pictures that cost a decoder and its deadline each, after which the rest is not waited for.
MOST_COSTLY: Final = 3
IN_MEMORY: Final = 4 << 20


def sheaf(instances: Sequence[StoredInstance], frames: Sequence[int], arguments: Arguments) -> Response:
    """Answer every frame of these instances (only `frames` of a single one, where given): 200, 206, 304; 413.

    The answer is gathered before it begins, so that pictures which could not be drawn are told of: 206
    with a Warning. The last fault is the answer where nothing could be drawn, or too many decoders were lost.
    """
    digests = " ".join(instance.digest for instance in instances)
    etag = etag_of("sheaf", digests, {**arguments, "frames": list(frames)})
    known = known_to_client(etag)
    if known is not None:
        return known
    images = with_pixels(instances)
    if not images:
        raise Refused(Problem(404, "there are no images under these UIDs"))
    sheets = _Sheets(etag, arguments)
    after_this_request(sheets.closed_with)
    for image in images:
        sheets.add(image, frames)
    answer = sheets.answer()
    if sheets.missing:
        answer.status_code = 206
        return warn(answer, [f"{sheets.missing} pictures could not be drawn"])
    answer.set_etag(etag)
    return answer


class _Sheets:
    """Parts on their way into one answer; a large answer stands in a file of the spool."""

    def __init__(self, etag: str, arguments: Arguments) -> None:
        self._boundary = f"pictures-{etag}"
        self._arguments = arguments
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(services().spool))  # noqa: SIM115
        self._drawn = 0
        self._fault: CodecFault | None = None
        self._costly = 0
        self.missing = 0

    def add(self, image: StoredInstance, frames: Sequence[int]) -> None:
        """Draw the frames of one image: those listed, or all of them."""
        number, last = 1, 1
        for number in frames:
            self._frame(image, number)
        while not frames and number <= last:
            last = max(last, self._frame(image, number))
            number += 1

    def _frame(self, image: StoredInstance, number: int) -> int:
        """Draw one frame; return how many the image has."""
        if self._drawn + self.missing >= MOST_PICTURES:
            raise Refused(Problem(413, f"these are more than {MOST_PICTURES} pictures", "ask for less at once"))
        try:
            outcome = draw("render", image, {**self._arguments, "frame": number})
        except CodecFault as fault:
            self._costly += fault.kind in COSTLY
            if fault.kind is Kind.BUSY or self._costly > MOST_COSTLY:
                raise
            self.missing += 1
            self._fault = fault
            return 0
        headers = {
            "Content-Type": str(self._arguments["media_type"]),
            "Content-Location": f"{url_of(image)}/frames/{number}/rendered",
            "Content-Length": str(len(outcome.data)),
        }
        self._file.write(part_head(self._boundary, headers))
        self._file.write(outcome.data)
        self._drawn += 1
        return int(outcome.facts["frames"])

    def closed_with(self, answer: Response) -> Response:
        """Close the file together with `answer`, whichever it is."""
        answer.call_on_close(self._file.close)
        return answer

    def answer(self) -> Response:
        """Return the answer; raises the last fault when there is no part."""
        if not self._drawn and self._fault is not None:
            raise self._fault
        self._file.write(closing(self._boundary))
        length = self._file.tell()
        self._file.seek(0)
        media_type = self._arguments["media_type"]
        answer = Response(
            _drained(self._file), content_type=f'{MULTIPART}; type="{media_type}"; boundary={self._boundary}'
        )
        answer.content_length = length
        return answer


def _drained(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
