"""The resumable door of a receiver: tus 1.0 core and creation, ended by a store response with the digest."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

ROOT = "/edge/v1/uploads"
BLOCK = 1 << 18
CREATOR = "DICOM EDGE APPLIANCE"


@dataclass
class Upload:
    """One upload on disk; `answer` is set once it is complete."""

    path: Path
    length: int
    metadata: dict[str, str]
    answer: tuple[int, bytes] | None = None

    @property
    def offset(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size


class Uploads:
    """Uploads below a directory; complete ones are handed to `kept` by SOP instance UID.

    `break_after` makes the next piece end so many bytes in, with what came before kept; `lose_last`
    swallows so many final answers; `forget` drops every unfinished upload. `idempotent` is
    whether a creation finds the unfinished upload of the same digest. Of a piece longer than `longest` nothing
    is kept, and the connection breaks: so do services that see a request only once it is whole.
    """

    def __init__(self, folder: Path, kept: dict[str, Path], *, idempotent: bool = True) -> None:
        """Nothing is there."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._kept = kept
        self.idempotent = idempotent
        self.uploads: dict[str, Upload] = {}
        self.break_after = 0
        self.longest = 0
        self.broken = 0
        self.lose_last = 0
        self.greatest = 0
        self.received = 0
        self.corrupt = False
        self.secret = False

    def forget(self) -> None:
        """Expire everything."""
        self.uploads.clear()

    def serve(self, handler: Any) -> None:
        """Answer a request of the handler's."""
        if handler.command == "OPTIONS":
            self._tus(handler, 204, {"Tus-Version": "1.0.0", "Tus-Extension": "creation"})
        elif handler.headers.get("Tus-Resumable") != "1.0.0":
            self._tus(handler, 412, {"Tus-Version": "1.0.0"})
        elif handler.command == "POST":
            self._create(handler)
        else:
            self._known(handler)

    def _known(self, handler: Any) -> None:
        upload = self.uploads.get(handler.path.rpartition("/")[2])
        if upload is None:
            handler.close_connection = True
            self._tus(handler, 404)
        elif handler.command == "HEAD" and self.secret:
            self._tus(handler, 403)
        elif handler.command == "HEAD":
            facts = {"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.length)}
            self._tus(handler, 200, {**facts, "Cache-Control": "no-store"})
        elif handler.command == "PATCH":
            self._patch(handler, upload)

    def _create(self, handler: Any) -> None:
        length = int(handler.headers["Upload-Length"])
        if self.greatest and length > self.greatest:
            return self._tus(handler, 413)
        pairs = (pair.split(" ") for pair in handler.headers["Upload-Metadata"].split(","))
        metadata = {name: base64.b64decode(value, validate=True).decode("ascii") for name, value in pairs}
        found = next((name for name, known in self.uploads.items() if known.metadata == metadata), "")
        if not (found and self.idempotent):
            found = uuid.uuid4().hex
            path = self._folder / found
            path.touch()
            self.uploads[found] = Upload(path, length, metadata)
        offset = str(self.uploads[found].offset)
        self._tus(handler, 201, {"Location": f"{ROOT}/{found}", "Upload-Offset": offset})

    def _patch(self, handler: Any, upload: Upload) -> None:
        length = int(handler.headers["Content-Length"])
        typed = handler.headers.get("Content-Type") == "application/offset+octet-stream"
        if not typed or handler.headers.get("Upload-Offset") != str(upload.offset):
            handler.close_connection = True
            return self._tus(handler, 409 if typed else 415)
        if self.longest and length > self.longest:
            self.broken += 1
            return handler.break_off()
        if not self._take(handler, upload, length):
            return handler.break_off()
        if upload.offset < upload.length:
            return self._tus(handler, 204, {"Upload-Offset": str(upload.offset)})
        upload.answer = upload.answer or self._finish(upload)
        if self.lose_last:
            self.lose_last -= 1
            return handler.break_off()
        status, body = upload.answer
        facts = {"Upload-Offset": str(upload.length), "Content-Type": "application/dicom+json"}
        return self._tus(handler, status, facts, body)

    def _take(self, handler: BaseHTTPRequestHandler, upload: Upload, length: int) -> bool:
        limit, self.break_after = self.break_after or length, 0
        stops_early = limit < length
        left = min(limit, length)
        with upload.path.open("ab") as file:
            while left:
                block = handler.rfile.read(min(BLOCK, left))
                if not block:
                    return False
                left -= file.write(block)
                self.received += len(block)
        return not stops_early

    def _finish(self, upload: Upload) -> tuple[int, bytes]:
        """Compare the digest of the data set; keep the file; say so as a store does."""
        digest, uid = _data_set_digest(upload.path), upload.metadata["sop_uid"]
        reference: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [uid]}}
        if digest != upload.metadata["digest"] or self.corrupt:
            reference["00081197"] = {"vr": "US", "Value": [0x0110]}
            return 409, json.dumps({"00081198": {"vr": "SQ", "Value": [reference]}}).encode()
        self._kept[uid] = upload.path
        reference["00990010"] = {"vr": "LO", "Value": [CREATOR]}
        reference["00991001"] = {"vr": "LO", "Value": [digest]}
        return 200, json.dumps({"00081199": {"vr": "SQ", "Value": [reference]}}).encode()

    def _tus(self, handler: Any, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        handler.answer(status, body, {"Tus-Resumable": "1.0.0", **(headers or {})})


def _data_set_digest(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(144)
        file.seek(144 + struct.unpack("<L", head[140:144])[0])
        return hashlib.file_digest(file, "sha256").hexdigest()
