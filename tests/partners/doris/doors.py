"""The sockets: a frontend that only redirects, and a backend that loads. Basic authentication at both."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from tests.partners.doris.stream_load import Load
from tests.partners.doris.troubles import BODY, FE, HEADERS, JUDGED, Trouble

if TYPE_CHECKING:
    from tests.partners.doris.double import Doris

LOAD_PATH = re.compile(r"/api/([^/]+)/([^/]+)/_stream_load")
BLOCK = 1 << 16


class HungUp(Exception):
    """The connection ends here, without an answer."""


class Door(ThreadingHTTPServer):
    """A listener on 127.0.0.1, each connection in a thread of its own."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, double: Doris, port: int, handler: type[Handler], context: ssl.SSLContext | None) -> None:
        self.double = double
        self.ending = threading.Event()
        self._context = context
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """TLS in the connection's own thread."""
        with self._lock:
            self._open.add(request)
        try:
            if self._context is None:
                super().finish_request(request, client_address)
            else:
                with self._context.wrap_socket(request, server_side=True) as secured:
                    super().finish_request(secured, client_address)
        finally:
            with self._lock:
                self._open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away."""

    def close(self) -> None:
        """Stop listening; connections that are still open break."""
        self.ending.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                _break(connection)
        self._thread.join(10)


class Handler(BaseHTTPRequestHandler):
    """What both doors have in common."""

    protocol_version = "HTTP/1.1"
    server: Door

    def log_message(self, *_: Any) -> None:
        """Nothing: tests look at `asked`."""

    def handle_expect_100(self) -> bool:
        """The handler of the request says when to continue."""
        return True

    def do_PUT(self) -> None:
        try:
            self.put()
        except HungUp:
            self.close_connection = True
            _break(self.connection)

    def do_GET(self) -> None:
        self.send(404, b"")

    def put(self) -> None:
        """Answer a PUT."""
        raise NotImplementedError

    def admit(self) -> tuple[str, str] | None:
        """The database and table of the request's path."""
        self.server.double.note(self)
        found = LOAD_PATH.fullmatch(urlsplit(self.path).path)
        if found is None:
            self.send(404, b"")
            return None
        return found[1], found[2]

    def user(self) -> tuple[str, str] | None:
        """Name and password of the request."""
        scheme, _, word = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        name, _, password = base64.b64decode(word).decode().partition(":")
        return name, password

    def known(self) -> bool:
        """Whether user and password are right."""
        user = self.user()
        return user is not None and self.server.double.users.get(user[0]) == user[1]

    def send(self, status: int, body: bytes, **headers: str) -> None:
        """Answer."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_json(self, document: dict[str, Any]) -> None:
        """Answer with 200, whatever the document says."""
        self.send(200, json.dumps(document, indent=4).encode())

    def hold(self) -> None:
        """Never answer: wait for the end."""
        self.server.ending.wait(60)
        raise HungUp

    @property
    def length(self) -> int:
        """The announced length of the body."""
        return int(self.headers.get("Content-Length", "0"))


class Frontend(Handler):
    """Redirects loads; reads no body. A client that sends one all the same is cut off, as newer frontends do."""

    def put(self) -> None:
        place = self.admit()
        if place is None:
            return
        trouble = self.server.double.troubles.meet(FE)
        if trouble is not None and trouble.kind != "redirect":
            return self._be_troubled(trouble)
        if not self.known():
            return self._deny()
        if self.headers.get("Expect", "").lower() != "100-continue":
            return self.send_json({"status": "FAILED", "msg": "There is no 100-continue header"})
        self._redirect(trouble)

    def _redirect(self, trouble: Trouble | None) -> None:
        user = self.user() or ("", "")
        double = self.server.double
        given = f"{quote(user[0], safe='')}:{quote(user[1], safe='')}"
        root = f"{double.scheme}://{given}@{double.be_host}:{double.be_port}"
        where = trouble.options["url"] if trouble is not None else root + self.path
        self.send(307, b"", Location=where)
        if self.length or "Transfer-Encoding" in self.headers:
            raise HungUp

    def _deny(self) -> None:
        if self.server.double.deny_by_status:
            return self.send(401, b"", WWW_Authenticate='Basic realm=""')
        self.send_json({"msg": "Unauthorized", "code": 401, "data": "Access denied for user", "count": 0})

    def _be_troubled(self, trouble: Trouble) -> None:
        if trouble.kind == "fe_silent":
            self.hold()
        if trouble.kind == "fe_reset":
            raise HungUp
        if trouble.kind == "fe_status":
            return self.send(trouble.options["status"], b"<html>no</html>")
        message = "errCode = 2, detailMessage = there is no available backend, policy: ..."
        self.send_json({"status": "FAILED", "msg": message})


class Backend(Handler):
    """Loads, and shows the error log."""

    def do_GET(self) -> None:
        double = self.server.double
        double.note(self)
        name = parse_qs(urlsplit(self.path).query).get("file", [""])[0].rpartition("_")[2]
        file = double.errors / name
        if not re.fullmatch(r"[0-9a-f]{32}", name) or not file.exists():
            return self.send(404, b"")
        self.send(200, file.read_bytes(), Content_Type="text/plain")

    def put(self) -> None:
        place = self.admit()
        if place is None:
            return
        self.close_connection = True
        load = Load(self.server.double.storage, self.server.double.errors, *place, headers=self._options())
        early = self._begin(load)
        if early is not None:
            return self.finish_load(load, early)
        if "100-continue" in self.headers.get("Expect", "").lower():
            self.send_response_only(100)
            self.end_headers()
        trouble = self.server.double.troubles.meet(BODY)
        body = self._read(load, self.length // 2 if trouble is not None else self.length)
        if trouble is not None:
            self.server.double.storage.abort(load.transaction) if load.transaction else None
            raise HungUp
        double = self.server.double
        root = double.error_root or f"{double.scheme}://127.0.0.1:{double.be_port}"
        refusal = load.judge(body, root)
        self._decide(load, refusal)

    def finish_load(self, load: Load, document: dict[str, Any]) -> None:
        """Answer, and note what was answered."""
        self.server.double.answers.append({"Table": load.table_name, "Rows": len(load.rows), **document})
        self.send_json(document)

    def _options(self) -> dict[str, str]:
        # Latin-1 is what http.server reads headers as.
        return {name.lower(): value for name, value in self.headers.items()}

    def _begin(self, load: Load) -> dict[str, Any] | None:
        trouble = self.server.double.troubles.meet(HEADERS)
        if trouble is not None:
            self._strike_early(load, trouble)
        if self.user() is None:
            return load.answer("Fail", "[INTERNAL_ERROR]no valid Basic authorization")
        if not self.known():
            return load.answer("Fail", "[ANALYSIS_ERROR]TStatus: errCode = 2, detailMessage = Access denied for user")
        if trouble is not None and trouble.kind == "empty_status":
            return load.answer("Label Already Exists", "Label has already been used", ExistingJobStatus="")
        document = load.begin()
        if document is not None and document.get("ExistingJobStatus") == "RUNNING":
            self.server.double.asked_for(load.label)
        return document

    def _strike_early(self, load: Load, trouble: Trouble) -> None:
        if trouble.kind == "be_status":
            self.send(trouble.options["status"], b"<html>no</html>")
            raise HungUp
        if trouble.kind == "be_reset_early":
            raise HungUp

    def _read(self, load: Load, length: int) -> bytes:
        body = b""
        while len(body) < length:
            try:
                block = self.rfile.read(min(BLOCK, length - len(body)))
            except OSError:
                block = b""
            if not block:
                load.fail("sender is gone")
                raise HungUp
            body += block
        return body

    def _decide(self, load: Load, refusal: dict[str, Any] | None) -> None:
        double = self.server.double
        trouble = double.troubles.meet(JUDGED)
        kind = trouble.kind if trouble is not None else ""
        options = trouble.options if trouble is not None else {}
        if kind == "slow":
            self.server.ending.wait(options["seconds"])
        if kind == "fail":
            return self.finish_load(load, load.fail(options["message"]))
        if kind == "filtered_success" and refusal is not None:
            return self.finish_load(load, load.commit())
        if refusal is not None:
            return self.finish_load(load, refusal)
        if kind in ("running", "stuck"):
            double.leave_running(load, aborts=kind == "stuck", asks=options.get("asks"))
            raise HungUp
        visible = kind != "publish_timeout"
        document = load.commit(visible=visible)
        if not visible:
            double.leave_invisible(load)
        if kind == "lost_answer":
            raise HungUp
        if kind == "silent":
            self.hold()
        if kind == "babble":
            return self.send(200, options["body"].encode())
        self.finish_load(load, document)


def _break(connection: socket.socket) -> None:
    """Reset a connection: what is under way is lost."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    except OSError:
        pass
