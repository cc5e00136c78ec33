"""One HTTP session with one service: TLS as configured, no redirects, no environment, errors sorted."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, Protocol
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as http

from appliance import __version__, tls
from appliance.dicomweb.endpoint import Endpoint
from appliance.dicomweb.faults import NoAnswer, NotTrusted, Stopped, sorted_fault
from appliance.dicomweb.listening import Patience, pools
from appliance.dicomweb.media_types import MediaType, parse_media_type

AGENT: Final = f"dicom-edge-appliance/{__version__}"
MOST_ANSWER_BYTES: Final = 4 << 20
BLOCK: Final = 256 << 10
UNKNOWN: Final = MediaType("")


class Body(Protocol):
    """A request body of known length in blocks; `len` becomes the Content-Length."""

    def __len__(self) -> int:
        """Return the exact number of bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield them, anew at every call."""


class Answer:
    """An HTTP answer whose body is still on the line. Close it, or leave it as a context manager."""

    def __init__(self, response: requests.Response, host: str, seconds: float) -> None:
        self._response = response
        self._host = host
        self._deadline = time.monotonic() + seconds
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    @property
    def media_type(self) -> MediaType:
        """What the Content-Type header names; a type of "" where it names none."""
        return parse_media_type(self.headers.get("Content-Type", "")) or UNKNOWN

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes as they come, b"" at the end. Raises NoAnswer when cut short, and Stopped.

        Silence, and less than a least rate from the answer's first byte on, is no answer (`silent`).
        """
        try:
            return bytes(self._response.raw.read1(size, decode_content=False) or b"")
        except (http.HTTPError, OSError) as error:
            fault = sorted_fault(error, self._host)
            raise NoAnswer(fault.message, hint=fault.hint, silent=getattr(fault, "silent", False)) from error

    def text(self) -> bytes:
        """Return the whole body, which must be short and soon there. Raises NoAnswer, Stopped."""
        body = bytearray()
        while block := self.read(BLOCK):
            body += block
            if len(body) > MOST_ANSWER_BYTES:
                raise NoAnswer(f"the answer of {self._host} has no end")
            if time.monotonic() > self._deadline:
                raise NoAnswer(f"the answer of {self._host} trickles", silent=True)
        return bytes(body)

    def close(self) -> None:
        """Let go of the connection; a body not read to its end costs it."""
        self._response.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Paced:
    """A body that tells `pace` of every block once it is on its way, and ends between two when `heed` raises."""

    def __init__(self, body: Body, pace: Callable[[int], None], heed: Callable[[], None] = lambda: None) -> None:
        """Take the body."""
        self._body = body
        self._pace = pace
        self._heed = heed

    def __len__(self) -> int:
        """Return the body's length."""
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body's blocks; the pace may hold up the next one."""
        for block in self._body:
            self._heed()
            yield block
            self._pace(len(block))


class Transport:
    """Sends requests to one service. One thread at a time; nothing is opened before the first request."""

    def __init__(
        self, endpoint: Endpoint, pace: Callable[[int], None] = lambda _size: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """Take the service; files are read when a session is opened, the token at every request.

        `pace` is told the size of every block sent, and may take its time. `stopping` is asked
        between blocks and while an answer is awaited: the request ends then.
        """
        self._endpoint = endpoint
        self._pace = pace
        self._stopping = stopping
        self._session: requests.Session | None = None

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None) -> Answer:
        """Send a request and return the answer, whatever its status; redirects are not followed.

        A body goes with its exact Content-Length and is never held in memory. Raises NotReached,
        NoAnswer, NotTrusted, Stopped, ConfigurationError, and whatever the body raises while it is read.
        """
        self.heed()
        endpoint = self._endpoint
        if _origin(url) not in (_origin(endpoint.url), _origin(endpoint.read_root)):
            hint = "the service must answer with places on its own host"
            raise NotTrusted(f"{endpoint.host} points to another host", hint=hint)
        session = self._open()
        try:
            response = session.request(
                method, url, headers={**endpoint.headers, **headers, **self._login()},
                data=None if body is None else Paced(body, self._pace, self.heed), stream=True, allow_redirects=False,
                timeout=(endpoint.connect_timeout, endpoint.read_timeout),
            )  # fmt: skip
        except (requests.RequestException, http.HTTPError, OSError) as error:
            raise sorted_fault(error, endpoint.host) from error
        return Answer(response, endpoint.host, endpoint.read_timeout)

    def heed(self) -> None:
        """Raise Stopped when there is a wish to stop."""
        if self._stopping():
            raise Stopped

    def location(self, answer: Answer, url: str) -> str:
        """Return the absolute URL that an answer to `url` points to, "" where it points nowhere."""
        place = answer.headers.get("Location", "")
        return urljoin(url, place) if place else ""

    def close(self) -> None:
        """Close the connections; the next request opens a session anew, from the files as they are then."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _login(self) -> dict[str, str]:
        token = self._endpoint.token()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _open(self) -> requests.Session:
        if self._session is None:
            self._session = _session(self._endpoint, self._stopping)
        return self._session


class _Adapter(HTTPAdapter):
    """Connections under our own TLS context and patience: the library's list of authorities plays no part."""

    def __init__(self, context: ssl.SSLContext, patience: Patience) -> None:
        self._context = context
        self._pools = pools(patience)
        super().__init__(pool_connections=2, pool_maxsize=2, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **{**kwargs, "ssl_context": self._context})
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **{**kwargs, "ssl_context": self._context})
        manager.pool_classes_by_scheme = self._pools
        return manager

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        place, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return place, {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the verification to the context."""


def _session(endpoint: Endpoint, stopping: Callable[[], bool]) -> requests.Session:
    session = requests.Session()
    # Nothing of ~/.netrc, of the environment's proxies or of its certificate bundles.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers.clear()
    session.headers.update({"User-Agent": AGENT, "Accept-Encoding": "identity"})
    files = {"ca": endpoint.tls_ca, "certificate": endpoint.tls_certificate, "key": endpoint.tls_key}
    adapter = _Adapter(tls.client_context(**files), Patience(endpoint.read_timeout, stopping))
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    if endpoint.proxy:
        session.proxies.update({"http": endpoint.proxy, "https": endpoint.proxy})
    return session


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
