"""An HTTP proxy on the way from a box to the centre that changes what comes back, as somebody in between might."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Change = Callable[[bytes], bytes]
HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive", "server", "date"})


class AlteringProxy:
    """Forwards to a port of 127.0.0.1; `change` is made to every page of receipts. A context manager."""

    def __init__(self, target_port: int) -> None:
        """Listen at once; nothing is changed yet."""
        self.change: Change = lambda page: page
        self.target_port = target_port
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: AlteringProxy


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._forward()

    def do_POST(self) -> None:
        self._forward()

    def do_OPTIONS(self) -> None:
        self._forward()

    def do_HEAD(self) -> None:
        self._forward()

    def _forward(self) -> None:
        """One request, one connection: bodies come with their length or in chunks, and go on with their length."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.proxy.target_port, timeout=10)) as onward:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            onward.request(self.command, self.path, self._body(), headers)
            answer = onward.getresponse()
            body = answer.read()
        if self.path.startswith("/edge/v1/receipts"):
            body = self.server.proxy.change(body)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
