"""One metadata answer, gathered whole before its headers go out."""

from __future__ import annotations

import json
import tempfile
import uuid
from pathlib import Path
from typing import IO, Final

from appliance.dicomweb.dicom_xml import to_xml
from appliance.dicomweb.media_types import DICOM_JSON, DICOM_XML, MULTIPART
from appliance.dicomweb.multipart import closing, part_head

IN_MEMORY: Final = 4 << 20

# A place to go back to: the length of the answer and the documents in it.
Mark = tuple[int, int]


class Gathered:
    """Documents on their way into one answer; a large answer stands in a file of the spool."""

    def __init__(self, spool: Path, as_json: bool) -> None:
        """Gather JSON, or a multipart message of XML parts."""
        self._as_json = as_json
        self._boundary = uuid.uuid4().hex
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(spool))  # noqa: SIM115
        self._count = 0
        self.broken = 0
        self.length = 0

    @property
    def content_type(self) -> str:
        """The media type of the answer."""
        return DICOM_JSON if self._as_json else f'{MULTIPART}; type="{DICOM_XML}"; boundary={self._boundary}'

    def add(self, document: bytes) -> None:
        """Add one document, given as JSON."""
        if self._as_json:
            self._file.write(b"," if self._count else b"[")
            self._file.write(document)
        else:
            self._file.write(part_head(self._boundary, {"Content-Type": DICOM_XML}) + to_xml(json.loads(document)))
        self._count += 1

    def place(self) -> Mark:
        """Return where the answer stands now."""
        return self._file.tell(), self._count

    def back_to(self, mark: Mark) -> None:
        """Forget what was added since."""
        position, self._count = mark
        self._file.seek(position)
        self._file.truncate()

    def finish(self) -> IO[bytes]:
        """Close the answer and return the file, from its first byte."""
        ending = b"]" if self._as_json else closing(self._boundary)
        self._file.write(b"[]" if self._as_json and not self._count else ending)
        self.length = self._file.tell()
        self._file.seek(0)
        return self._file
