"""The doors: what is believed on nginx's socket and on the port, bound here or by the service manager."""

from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from appliance.errors import ConfigurationError
from appliance.http.proxies import networks, said
from appliance.http.server import Limits
from appliance.web.doors import Doors, Places, check_open
from appliance.web.gate import Gate
from tests.partners.ports import free_ports

FORGED = (
    "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Client-Verify: SUCCESS", "X-Edge-Body: asked",
)  # fmt: skip
STRANGERS_BODY = "Content-Length: 1000000"


def tell(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer what the application is told of a request."""
    start_response("200 OK", [("Content-Type", "application/json")])
    headers = [name for name in environ if name.startswith(("HTTP_X_", "HTTP_FORWARDED"))]
    told = [environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], dataclasses.asdict(said(environ)), sorted(headers)]
    yield json.dumps(told).encode()


def knows(headers: Mapping[str, str], *, on_socket: bool = False) -> bool:
    """As the gate: a certificate counts on the socket alone."""
    return on_socket and headers.get("X_CLIENT_VERIFY") == "SUCCESS"


@contextmanager
def opened(tmp_path: Path, *passed: socket.socket, trusted: str = "", own: Path | None = None) -> Iterator[Doors]:
    """Doors that serve; `passed` are the service manager's sockets."""
    places = Places("127.0.0.1", free_ports(1)[0], own, networks([trusted]), passed)
    gate = cast(Gate, SimpleNamespace(knows=knows))
    doors = Doors(tell, places, Limits(2, 20, 1 << 30, tmp_path, 0), gate)
    doors.start()
    try:
        yield doors
    finally:
        assert doors.stop(5)


def ask(place: Path | int, *headers: str) -> tuple[int, Any]:
    """Send one request to a socket or port: status, and what the application says it was told."""
    family = socket.AF_INET if isinstance(place, int) else socket.AF_UNIX
    with socket.socket(family) as line:
        line.settimeout(10)
        line.connect(("127.0.0.1", place) if isinstance(place, int) else str(place))
        line.sendall("\r\n".join(["GET / HTTP/1.0", "Host: localhost", *headers, "", ""]).encode())
        answer = b""
        while data := line.recv(65536):
            answer += data
    status, body = int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]
    return status, json.loads(body) if status == 200 else None


def test_the_socket_is_believed_and_the_port_is_not(tmp_path: Path) -> None:
    own = tmp_path / "web.sock"
    with opened(tmp_path, own=own) as doors:
        assert own.stat().st_mode & 0o777 == 0o660
        _, (address, scheme, told, headers) = ask(own, *FORGED)
        assert (address, scheme, told["verify"], told["body"], headers) == (
            "192.0.2.1", "https", "SUCCESS", "asked", [],
        )  # fmt: skip
        _, (address, scheme, told, headers) = ask(doors.port, *FORGED)
        assert (address, scheme, told["verify"], told["body"]) == ("127.0.0.1", "http", "", "")
        # Still there, to be refused.
        assert len(headers) == len(FORGED)
        assert ask(own)[1][:2] == ["", "http"]


def test_a_trusted_proxy_on_the_port_is_not_believed_about_certificates(tmp_path: Path) -> None:
    with opened(tmp_path, trusted="127.0.0.1") as doors:
        _, (address, scheme, told, headers) = ask(doors.port, *FORGED)
        assert (address, scheme, told["verify"]) == ("192.0.2.1", "https", "")
        assert headers == ["HTTP_X_CLIENT_VERIFY", "HTTP_X_EDGE_BODY"]


def test_bodies_are_taken_on_the_socket_for_a_certificate(tmp_path: Path) -> None:
    own = tmp_path / "web.sock"
    with opened(tmp_path, own=own) as doors:
        assert ask(own, STRANGERS_BODY)[0] == 401
        assert ask(doors.port, STRANGERS_BODY, "X-Client-Verify: SUCCESS")[0] == 401


def test_sockets_of_the_service_manager_are_served_instead_of_our_own(tmp_path: Path) -> None:
    place, unused = tmp_path / "passed.sock", tmp_path / "web.sock"
    local = socket.socket(socket.AF_UNIX)
    local.bind(str(place))
    local.listen()
    wide = socket.create_server(("127.0.0.1", 0))
    port = wide.getsockname()[1]
    with opened(tmp_path, local, wide, own=unused) as doors:
        assert ask(place, *FORGED)[1][0] == "192.0.2.1"
        assert (doors.port, ask(port, *FORGED)[1][0]) == (port, "127.0.0.1")
        assert not unused.exists()
        assert doors.running
    assert place.exists()


def test_every_loop_has_its_own_sign_of_life(tmp_path: Path) -> None:
    names: list[str] = []

    def beat_of(name: str) -> Callable[[], None]:
        names.append(name)
        return lambda: None

    places = Places("127.0.0.1", free_ports(1)[0], tmp_path / "web.sock", (), ())
    doors = Doors(tell, places, Limits(1, 20, 1, tmp_path, 0), cast(Gate, SimpleNamespace(knows=knows)))
    doors.start(beat_of)
    assert doors.stop(5)
    assert names == ["socket", "port"]


def test_a_room_without_logins_does_not_open_to_nginx() -> None:
    with pytest.raises(ConfigurationError, match="nginx"):
        check_open(proxied=True, login=False)
    check_open(proxied=True, login=True)
    check_open(proxied=False, login=False)
