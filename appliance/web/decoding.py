"""Frames decoded by the codec, for who cannot take them as they are stored."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Final

from flask import Response, after_this_request

from appliance.archive.reading import StoredInstance
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.stored_files import CHUNK
from appliance.web.answers import Refused
from appliance.web.services import services

IN_MEMORY: Final = 4 << 20


def can_decode(instance: StoredInstance) -> bool:
    """Say whether a decoder for the pixels of this instance is at hand."""
    return services().frames.can_decode(instance)


class DecodedFrames:
    """Frames on their way into one answer, in its order; many of them stand in a file of the spool."""

    def __init__(self, instance: StoredInstance, numbers: Sequence[int]) -> None:
        """Decode them, uncompressed and little endian. Raises CodecFault, ArchiveError; ends with 413 for too many."""
        self.lengths: list[int] = []
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(services().spool))  # noqa: SIM115
        after_this_request(self._closed_with)
        for number in numbers:
            data = services().frames.frame(instance, number).data
            if self._file.tell() + len(data) > services().codec.limits.output_bytes:
                raise Refused(Problem(413, "these frames are more bytes than one answer may have", "ask for fewer"))
            self.lengths.append(len(data))
            self._file.write(data)

    def read(self, index: int) -> Iterator[bytes]:
        """Yield the bytes of the frame at `index` of the numbers asked for."""
        position, left = sum(self.lengths[:index]), self.lengths[index]
        self._file.seek(position)
        while left:
            chunk = self._file.read(min(CHUNK, left))
            left -= len(chunk)
            yield chunk

    def _closed_with(self, answer: Response) -> Response:
        answer.call_on_close(self._file.close)
        return answer
