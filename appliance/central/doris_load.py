"""Stream Load over HTTP, in two steps: ask a frontend for a backend, then send the body there.

The first request has no body and no label: a frontend answers it with a redirect, and newer ones cut off whoever
sends a body along. The redirect carries user and password: neither is used, told or logged, and the host is checked
before ours go there. No real Doris was spoken to; see docs/central.md.
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as http

from appliance import __version__, tls
from appliance.central.doris_faults import check_status, frontend_refusal
from appliance.central.doris_hops import Backends
from appliance.central.targets import Misdirected, Unavailable
from appliance.dicomweb.faults import NotReached, NotTrusted, Stopped, sorted_fault
from appliance.dicomweb.listening import Patience, pools
from appliance.errors import ConfigurationError, PeerError

MOST_ANSWER_BYTES: Final = 1 << 20
REDIRECTS: Final = frozenset({301, 302, 307, 308})
# A frontend only looks up a backend; what it has not said by then it will not say.
FRONTEND_SECONDS: Final = 15.0
LONGEST_PASSWORD: Final = 4096


@dataclass(frozen=True, slots=True)
class DorisOptions:
    """One cluster. Paths are absolute and read at use; None means not used. Times are seconds.

    `url` is a frontend's root. `cluster` begins every label. `backends` are the hosts, or host:port, that loads may be
    sent to; empty means wherever the frontend says. `label_wait` is how long a load that still runs is asked for.
    """

    url: str
    database: str
    user: str
    password_file: Path | None = None
    tls_ca: Path | None = None
    cluster: str = "edge"
    backends: tuple[str, ...] = ()
    allow_plain_backends: bool = False
    connect_timeout: float = 10.0
    load_timeout: float = 60.0
    label_wait: float = 20.0

    def password(self) -> str:
        """Return the password as its file has it now, "" without a file. Raises Misdirected."""
        if self.password_file is None:
            return ""
        try:
            with self.password_file.open(encoding="utf-8") as file:
                return file.read(LONGEST_PASSWORD).rstrip("\r\n")
        except (OSError, ValueError) as error:
            hint = "check the file, its owner and its mode"
            raise Misdirected("the password file of central.doris cannot be read", hint=hint) from error


class Unknown(Exception):
    """The connection ended before an answer that can be read: the load may have been carried out."""


class StreamLoad:
    """Sends loads to one cluster. One thread at a time; nothing is opened before the first."""

    def __init__(self, options: DorisOptions, stopping: Callable[[], bool] = lambda: False) -> None:
        """Take the cluster. `stopping` is asked while an answer is awaited; a load ends as Unavailable then."""
        self._options = options
        self._stopping = stopping
        self._session: _Session | None = None
        secure = urlsplit(options.url).scheme == "https" and not options.allow_plain_backends
        self._backends = Backends(options.backends, secure)
        self._latest = ""

    def put(self, table: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """Load a body and return the backend's document, whatever it says.

        Raises Unknown, Unavailable (not carried out, or not now), Misdirected.
        """
        path = f"/api/{self._options.database}/{table}/_stream_load"
        place = f"{self._options.database}.{table}"
        where = self._find_backend(path, place)
        seconds = str(max(1, round(self._options.load_timeout)))
        status, answer = self._send("PUT", where, {**headers, **self._login(), "timeout": seconds}, body)
        check_status(status, answer, place)
        try:
            document = json.loads(answer[1])
        except ValueError:
            raise Unknown from None
        if not isinstance(document, dict):
            raise Unknown
        return document

    def error_log(self, url: object) -> str:
        """Return the beginning of the error log of a failed load, "" where it cannot be had. No credentials go there.

        Only the backend that was just spoken to, or one that is allowed by name, is asked.
        """
        where = self._backends.error_log(url, self._latest)
        if not where:
            return ""
        try:
            status, answer = self._send("GET", where, {}, None)
        except (Unknown, Unavailable, Misdirected):
            return ""
        return answer[1].decode("utf-8", "replace") if status == 200 else ""

    def close(self) -> None:
        """Close the connections; certificates are read again for the next. Safe to repeat."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _find_backend(self, path: str, place: str) -> str:
        url = f"{self._options.url.rstrip('/')}{path}"
        try:
            status, (headers, body) = self._send("PUT", url, self._login(), b"")
        except Unknown:
            message = f"the Doris frontend {urlsplit(url).netloc} closed the connection"
            raise Unavailable(message, hint="check the frontend and the line") from None
        if status in REDIRECTS and headers.get("Location"):
            hop = self._backends.redirected(url, headers["Location"])
            self._latest = hop.host
            return hop.url
        check_status(status, (headers, body), place)
        raise frontend_refusal(body, place)

    def _login(self) -> dict[str, str]:
        word = base64.b64encode(f"{self._options.user}:{self._options.password()}".encode()).decode()
        return {"Authorization": f"Basic {word}", "Expect": "100-continue"}

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, tuple[Mapping[str, str], bytes]]:
        """Send one request; status, headers and body of its answer. Raises Unknown, Unavailable, Misdirected."""
        host = urlsplit(url).netloc
        try:
            if self._session is None:
                self._session = _Session(self._options, self._stopping)
            with self._session.request(
                method, url, headers=dict(headers), data=body, stream=True, allow_redirects=False,
                timeout=(self._options.connect_timeout, self._options.load_timeout),
            ) as response:  # fmt: skip
                text = response.raw.read(MOST_ANSWER_BYTES, decode_content=False)
                return response.status_code, (response.headers, bytes(text or b""))
        except ConfigurationError as error:
            raise Misdirected(error.message, hint=error.hint) from error
        except Stopped as error:
            raise Unavailable("the loader is stopping") from error
        except (requests.RequestException, http.HTTPError, OSError) as error:
            # Their texts carry URLs; the cause is left out so that no traceback shows them.
            fault = _fault(sorted_fault(error, host), host)
        finally:
            # One connection a request: a load is rare, and a connection that has aged breaks in the middle of it.
            if self._session is not None:
                self._session.close()
        raise fault


def _fault(fault: PeerError, host: str) -> Unknown | Unavailable | Misdirected:
    if isinstance(fault, NotTrusted):
        hint = "check central.doris.tls_ca and the names in the certificate"
        return Misdirected(f"Doris: {fault.message}", hint=hint)
    if isinstance(fault, NotReached):
        return Unavailable(f"Doris: {fault.message}", hint="check the server and the line")
    if isinstance(fault, Stopped):
        return Unavailable("the loader is stopping")
    return Unknown(host)


class _Adapter(HTTPAdapter):
    """Connections under our own TLS context and patience."""

    def __init__(self, context: ssl.SSLContext, patience: Patience) -> None:
        self._context = context
        self._pools = pools(patience)
        super().__init__(pool_connections=2, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **{**kwargs, "ssl_context": self._context})
        self.poolmanager.pool_classes_by_scheme = self._pools

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        place, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return place, {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the verification to the context."""


class _Session(requests.Session):
    """A session that looks at no redirect, no environment and no netrc, and keeps no cookie."""

    def __init__(self, options: DorisOptions, stopping: Callable[[], bool]) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.headers.clear()
        agent = f"dicom-edge-appliance/{__version__}"
        self.headers.update({"User-Agent": agent, "Accept-Encoding": "identity", "Connection": "close"})
        context = tls.client_context(None, None, options.tls_ca)
        loading = _Adapter(context, Patience(options.load_timeout, stopping))
        for scheme in ("https://", "http://"):
            self.mount(scheme, loading)
        seconds = min(FRONTEND_SECONDS, options.load_timeout)
        # With the slash: otherwise port 80 would be the beginning of 8040.
        self.mount(f"{options.url.rstrip('/')}/", _Adapter(context, Patience(seconds, stopping)))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: the library would take the credentials of a redirect apart."""
        return None
