"""A DICOMweb store in this process: strict about requests, obedient about faults. Imports nothing of the appliance."""

from __future__ import annotations

import hashlib
import json
import mmap
import re
import socket
import ssl
import struct
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydicom import dcmread

from tests.partners.receipts import PATH as RECEIPTS
from tests.partners.receipts import Receipts
from tests.partners.uploads import Uploads

BLOCK = 1 << 20
JSON = "application/dicom+json"
_TYPE = re.compile(r'multipart/related; *type="application/dicom"; *boundary=([0-9A-Za-z]+)')
_WADO = re.compile(r"/studies/([0-9.]+)/series/([0-9.]+)/instances/([0-9.]+)$")
RESET, SILENT = "reset", "silent"


@dataclass
class Reply:
    """What to answer instead of what is true. `keep` stores the objects all the same.

    `status` may be RESET (close the connection) or SILENT (never answer).
    """

    status: int | str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    keep: bool = False


@dataclass(frozen=True)
class Found:
    """One part of a request, on disk."""

    sop_uid: str
    path: Path
    size: int


Rule = Callable[[list[str]], Reply | None]


class DicomStore:
    """Keeps files below a directory. A context manager.

    `rule` sees the SOP instance UIDs of a request and may return a Reply; `failing` are failure
    reasons by UID, `skipped` UIDs are neither stored nor named. `plain` answers "Success" without
    a store response; `uploads` is the resumable door, `receipts` the signed ones, None for a store without.
    """

    def __init__(self, folder: Path, *, context: ssl.SSLContext | None = None, prefix: str = "/dicom-web") -> None:
        """Listen at once on a port of 127.0.0.1."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.prefix = prefix
        self.objects: dict[str, Path] = {}
        self.posts: list[list[str]] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.rule: Rule = lambda _: None
        self.before_read: Callable[[str], Reply | None] = lambda _: None
        self.identify: Callable[[Path], str] = sop_uid_of
        self.failing: dict[str, int] = {}
        self.skipped: set[str] = set()
        self.plain = False
        self.required: dict[str, str] = {}
        self.uploads: Uploads | None = None
        self.receipts: Receipts | None = None
        self.lock = threading.Lock()
        self._scheme = "https" if context else "http"
        self._server = _Server(self, context)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def root(self) -> str:
        """The server's root, without a slash at the end."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Root of the DICOMweb service."""
        return f"{self.root}{self.prefix}"

    def digests(self) -> dict[str, str]:
        """SHA-256 of the data set behind group 2, by SOP instance UID."""
        return {uid: data_set_digest(path) for uid, path in self.objects.items()}

    def keep(self, found: Found) -> None:
        """Store a part."""
        target = self.folder / f"{found.sop_uid}.dcm"
        found.path.replace(target)
        with self.lock:
            self.objects[found.sop_uid] = target

    def close(self) -> None:
        """Stop listening and end."""
        self._server.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def sop_uid_of(path: Path) -> str:
    """The SOP instance UID in a file's data set."""
    return str(dcmread(path, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).SOPInstanceUID)


def data_set_digest(path: Path) -> str:
    """SHA-256 of what follows group 2, by the group's length."""
    with path.open("rb") as file:
        head = file.read(144)
        assert head[128:132] == b"DICM"
        file.seek(144 + struct.unpack("<L", head[140:144])[0])
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, store: DicomStore, context: ssl.SSLContext | None) -> None:
        self.store = store
        self.ending = threading.Event()
        self._context = context
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """TLS in the connection's own thread, so that one bad handshake blocks nobody."""
        if self._context is None:
            super().finish_request(request, client_address)
            return
        with self._context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or no handshake: no matter."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    @property
    def store(self) -> DicomStore:
        return self.server.store

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send an answer of known length."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            # A client that is not told would send its next request into a connection that is being closed.
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    def break_off(self) -> None:
        """Close with RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def do_OPTIONS(self) -> None:
        self._note()
        self._upload()

    do_HEAD = do_PATCH = do_OPTIONS

    def do_POST(self) -> None:
        self._note()
        if self._lacks_header():
            return
        if self.path.startswith("/edge/"):
            self._upload()
        elif self.path != f"{self.store.prefix}/studies":
            self.answer(404)
        else:
            self._stow()

    def do_GET(self) -> None:
        self._note()
        if self._lacks_header():
            return
        if self.path.startswith(RECEIPTS) and self.store.receipts is not None:
            status, body = self.store.receipts.page(self.path)
            return self.answer(status, body, {"Content-Type": "application/json"})
        match = _WADO.search(self.path)
        if match is None or not self.path.startswith(self.store.prefix + "/"):
            return self.answer(404)
        reply = self.store.before_read(match[3])
        if reply is not None:
            return self._obey(reply)
        path = self.store.objects.get(match[3])
        if path is None:
            return self.answer(404)
        if "transfer-syntax=*" not in self.headers.get("Accept", ""):
            return self.answer(406)
        self._give(path)

    def _note(self) -> None:
        with self.store.lock:
            self.store.requests.append((self.command, self.path, dict(self.headers.items())))

    def _lacks_header(self) -> bool:
        missing = [n for n, value in self.store.required.items() if self.headers.get(n) != value]
        if missing:
            self.close_connection = True
            self.answer(401 if missing == ["Authorization"] else 400, b"missing header " + missing[0].encode())
        return bool(missing)

    def _upload(self) -> None:
        uploads = self.store.uploads
        if uploads is None or not self.path.startswith("/edge/v1/uploads"):
            self.close_connection = True
            return self.answer(404)
        uploads.serve(self)

    def _stow(self) -> None:
        match = _TYPE.fullmatch(self.headers.get("Content-Type", ""))
        if "Transfer-Encoding" in self.headers or match is None:
            self.close_connection = True
            return self.answer(411 if match else 415)
        parts = self._parts(f"\r\n--{match[1]}".encode(), int(self.headers["Content-Length"]))
        uids = [part.sop_uid for part in parts]
        with self.store.lock:
            self.store.posts.append(uids)
        reply = self.store.rule(uids)
        if reply is None or reply.keep:
            for part in parts:
                if part.sop_uid not in self.store.skipped and part.sop_uid not in self.store.failing:
                    self.store.keep(part)
        if reply is not None:
            self._obey(reply)
        elif self.store.plain:
            self.answer(200, b"Success", {"Content-Type": "text/plain"})
        else:
            self._report(uids)

    def _obey(self, reply: Reply) -> None:
        if reply.status == SILENT:
            self.server.ending.wait(60)
        if isinstance(reply.status, str):
            self.break_off()
        else:
            self.answer(reply.status, reply.body, reply.headers)

    def _report(self, uids: list[str]) -> None:
        store = self.store
        failed = [uid for uid in uids if uid in store.failing]
        named = [uid for uid in uids if uid not in store.failing and uid not in store.skipped]
        document: dict[str, Any] = {}
        if failed:
            items = [{**_named(uid), "00081197": {"vr": "US", "Value": [store.failing[uid]]}} for uid in failed]
            document["00081198"] = {"vr": "SQ", "Value": items}
        if named:
            document["00081199"] = {"vr": "SQ", "Value": [_named(uid) for uid in named]}
        status = 200 if not failed else 202 if named else 409
        self.answer(status, json.dumps(document).encode(), {"Content-Type": JSON})

    def _parts(self, delimiter: bytes, length: int) -> list[Found]:
        """Read the body to disk and cut it; every part must be typed exactly application/dicom."""
        spool = self.store.folder / f"{uuid.uuid4().hex}.body"
        with spool.open("wb") as file:
            while length:
                block = self.rfile.read(min(BLOCK, length))
                if not block:
                    spool.unlink(missing_ok=True)
                    raise ConnectionError("the body ends early")
                length -= file.write(block)
        found = list(_cut(spool, delimiter, self.store.identify))
        spool.unlink()
        return found

    def _give(self, path: Path) -> None:
        head = b"--edge\r\nContent-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n"
        tail = b"\r\n--edge--\r\n"
        self.send_response(200)
        self.send_header("Content-Type", 'multipart/related; type="application/dicom"; boundary=edge')
        self.send_header("Content-Length", str(len(head) + path.stat().st_size + len(tail)))
        self.end_headers()
        self.wfile.write(head)
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                self.wfile.write(block)
        self.wfile.write(tail)


def _named(uid: str) -> dict[str, Any]:
    return {"00081155": {"vr": "UI", "Value": [uid]}}


def _cut(spool: Path, delimiter: bytes, identify: Callable[[Path], str]) -> Iterator[Found]:
    with spool.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
        at = body.find(delimiter[2:])
        assert at in (0, 2), "no delimiter opens the body"
        at += len(delimiter) - 2
        while body[at : at + 2] != b"--":
            end_of_head = body.find(b"\r\n\r\n", at)
            assert body[at:end_of_head].strip() == b"Content-Type: application/dicom", body[at:end_of_head]
            end = body.find(delimiter, end_of_head)
            assert end > 0, "a part has no end"
            yield _found(spool.with_name(f"{uuid.uuid4().hex}.part"), body, end_of_head + 4, end, identify)
            at = end + len(delimiter)


def _found(path: Path, body: mmap.mmap, start: int, end: int, identify: Callable[[Path], str]) -> Found:
    with path.open("wb") as file:
        for at in range(start, end, BLOCK):
            file.write(body[at : min(at + BLOCK, end)])
    return Found(identify(path), path, end - start)
