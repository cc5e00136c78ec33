"""A plain HTTP client for the web room, and readers for its multipart answers."""

from __future__ import annotations

from email.parser import BytesParser
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from pydicom import Dataset

from appliance.dicomweb.multipart import closing, part_head
from tests.builders.certificates import Pair
from tests.builders.instances import part10

BOUNDARY = "a-test-boundary"
STOW = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
SECONDS = 30


def stow_body(*parts: bytes, content_type: str = "application/dicom") -> bytes:
    """Return a whole store request's body."""
    head = part_head(BOUNDARY, {"Content-Type": content_type})
    return b"".join(head + part for part in parts) + closing(BOUNDARY)


def read_parts(answer: requests.Response) -> list[tuple[str, bytes]]:
    """Return (content type, body) of every part of a multipart answer."""
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    message: Any = BytesParser().parsebytes(head + answer.content)
    assert message.is_multipart()
    return [(part["Content-Type"], part.get_payload(decode=True)) for part in message.get_payload()]


class WebClient:
    """Requests below one URL. A context manager."""

    def __init__(self, url: str, trusted: Path | None = None, pair: Pair | None = None) -> None:
        """Nothing is connected yet. With https: whom to trust (PEM), and the certificate to show."""
        self.url = url
        self._session = requests.Session()
        # Neither proxies nor authorities of the machine that the tests run on.
        self._session.trust_env = False
        self._session.verify = str(trusted) if trusted else True
        self._session.cert = (str(pair.certificate), str(pair.key)) if pair else None

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Send one request; redirects are not followed."""
        return self._session.request(method, self.url + path, timeout=SECONDS, allow_redirects=False, **more)

    def get(self, path: str, accept: str = "", **headers: str) -> requests.Response:
        """GET; `headers` in Python spelling, such as If_None_Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("GET", path, headers={"Accept": accept or None, **named})

    def stow(self, body: bytes, study_uid: str = "", **headers: str) -> requests.Response:
        """POST a store request."""
        named = {"Content-Type": STOW, **{name.replace("_", "-"): value for name, value in headers.items()}}
        path = f"/dicom-web/studies/{study_uid}".rstrip("/")
        return self.ask("POST", path, data=body, headers=named)

    def keep(self, *datasets: Dataset) -> None:
        """Store data sets; every one must succeed."""
        answer = self.stow(stow_body(*map(part10, datasets)))
        assert answer.status_code == 200, answer.text

    def search(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """Return what a search finds, as DICOM JSON; nothing found has no body."""
        answer = self.ask("GET", f"/dicom-web{path}", params=parameters)
        if answer.status_code == 204:
            return []
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert isinstance(found, list)
        return found

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        self._session.close()
