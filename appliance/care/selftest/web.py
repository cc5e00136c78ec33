"""The web room as a browser reaches it: over its TCP port or its Unix socket, with a token made for the run."""

from __future__ import annotations

import http.client
import json
import socket
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from appliance.access.book import Book
from appliance.access.roles import Role
from appliance.care.knocking import ANYWHERE
from appliance.care.selftest.step import Ended, Outcome
from appliance.config import Settings
from appliance.errors import NotFound

SECONDS = 30.0
TOKEN_SECONDS = 900
TOKEN_NAME = "selftest-"
MOST_BYTES = 4 << 20
SEE = "see its log: journalctl -u dicom-edge-web"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix stream socket."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Web:
    """Asks the web room. One request at a time, each on a connection of its own."""

    def __init__(self, settings: Settings, token: str) -> None:
        """Take where it is, and the token ("" where nobody logs in)."""
        self._settings = settings
        self._token = token

    def get(self, path: str, accept: str) -> tuple[str, bytes]:
        """Return media type and body of a successful answer. Raises Ended, OSError."""
        headers = {"Host": "localhost", "Accept": accept}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        with closing(self._connection()) as connection:
            try:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                body = answer.read(MOST_BYTES)
            except http.client.HTTPException as error:
                raise Ended(
                    Outcome.FAILED, f"the web room does not speak HTTP ({type(error).__name__})", SEE
                ) from error
            if answer.status != http.client.OK:
                raise Ended(Outcome.FAILED, f"the web room answered {answer.status}", SEE)
            return answer.headers.get_content_type(), body

    def studies(self, study_uid: str) -> int:
        """Return how many studies a search for a UID finds (QIDO-RS)."""
        _, body = self.get(f"/dicom-web/studies?StudyInstanceUID={study_uid}", "application/dicom+json")
        try:
            found = json.loads(body or b"[]")
        except ValueError as error:
            raise Ended(Outcome.FAILED, "the answer to a search is no JSON", SEE) from error
        return len(found)

    def picture(self, study_uid: str, series_uid: str, sop_uid: str) -> tuple[int, int]:
        """Let an image be drawn as PNG; return its width and height."""
        uids = f"/dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}"
        media_type, body = self.get(f"{uids}/frames/1/rendered", "image/png")
        if media_type != "image/png" or body[:8] != b"\x89PNG\r\n\x1a\n":
            raise Ended(Outcome.FAILED, f"the drawn image is {media_type}, no PNG", SEE)
        return int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big")

    def _connection(self) -> http.client.HTTPConnection:
        web = self._settings.web
        path = getattr(web, "socket", None)
        if path is not None:
            return _UnixConnection(path, SECONDS)
        return http.client.HTTPConnection(ANYWHERE.get(web.host, web.host).strip("[]"), web.port, timeout=SECONDS)


@contextmanager
def lent_token(settings: Settings) -> Iterator[str]:
    """Lend a token that may look, for some minutes; it is revoked at the end, and so are those of killed runs."""
    if settings.web.login == "open":
        yield ""
        return
    with Book(settings.home) as book:
        for row in book.tokens.list():
            if row["name"].startswith(TOKEN_NAME) and row["revoked_at"] is None:
                book.tokens.revoke(row["name"])
        name = f"{TOKEN_NAME}{uuid.uuid4().hex[:12]}"
        token = book.tokens.add(name, Role.VIEWER, TOKEN_SECONDS)
        try:
            yield token
        finally:
            with suppress(NotFound):
                book.tokens.revoke(name)
