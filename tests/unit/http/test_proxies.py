"""What is believed of a proxy: only a trusted one's word, and only the last address it added."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from appliance.http.proxies import SAID, SAID_BY, OnSocket, Said, networks, said, wrapper


def seen(sender: str, trusted: tuple[str, ...], **headers: str) -> dict[str, Any]:
    """Return the environment that the application behind the wrapper gets."""
    found: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found.append(environ)
        return []

    environ = {"REMOTE_ADDR": sender, "REMOTE_PORT": "5000", "wsgi.url_scheme": "http", "SERVER_PORT": "8080"}
    wrapper(networks(trusted))(application)({**environ, **headers}, lambda *_: None)  # type: ignore[arg-type]
    return found[0]


SENT = {"HTTP_X_FORWARDED_FOR": "10.9.9.9, 192.0.2.7", "HTTP_X_FORWARDED_PROTO": "https", "HTTP_FORWARDED": "for=x"}


@pytest.mark.parametrize("sender", ["10.0.0.1", "::ffff:10.0.0.1"])
def test_a_trusted_proxy_says_who_sends_and_how(sender: str) -> None:
    environ = seen(sender, ("10.0.0.0/24",), **SENT)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], environ["SERVER_PORT"]) == ("192.0.2.7", "https", "443")
    assert not [name for name in environ if "FORWARDED" in name]


@pytest.mark.parametrize("trusted", [(), ("10.0.1.0/24",), ("2001:db8::/32",)])
def test_anybody_elses_word_stays_to_be_refused(trusted: tuple[str, ...]) -> None:
    environ = seen("10.0.0.1", trusted, **SENT)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("10.0.0.1", "http")
    assert environ["HTTP_FORWARDED"] == "for=x"


@pytest.mark.parametrize("said", ["", "unknown", "192.0.2.7, x", "192.0.2.7]x"])
def test_what_is_no_address_is_not_taken(said: str) -> None:
    environ = seen("10.0.0.1", ("10.0.0.1",), HTTP_X_FORWARDED_FOR=said, HTTP_X_FORWARDED_PROTO="gopher")
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("10.0.0.1", "http")


def through_socket(**headers: str) -> dict[str, Any]:
    """Return the environment of a request that came by the socket of nginx."""
    environ: dict[str, Any] = {"REMOTE_ADDR": "localhost", "REMOTE_PORT": "1", "wsgi.url_scheme": "http", **headers}
    list(OnSocket(lambda environ, start_response: [])(environ, lambda *_: None))  # type: ignore[arg-type]
    return environ


def test_on_the_socket_nginx_is_believed_and_its_headers_are_gone() -> None:
    given = {f"HTTP_{name.upper().replace('-', '_')}": field for field, name in SAID_BY.items()}
    environ = through_socket(**SENT, **given)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("192.0.2.7", "https")
    assert said(environ) == Said(**{field: field for field in SAID_BY})
    assert not [name for name in environ if name.startswith("HTTP_")]


@pytest.mark.parametrize("sender", ["", "unknown"])
def test_a_sender_that_nginx_does_not_name_is_nobody_and_not_this_machine(sender: str) -> None:
    assert through_socket(HTTP_X_FORWARDED_FOR=sender)["REMOTE_ADDR"] == ""


def test_no_header_says_what_nginx_says() -> None:
    environ = seen("10.0.0.1", ("10.0.0.1",), HTTP_X_EDGE_BODY="asked", HTTP_APPLIANCE_SAID="x")
    assert said(environ) == Said() == said({**environ, SAID: "x"})
    assert environ["HTTP_X_EDGE_BODY"] == "asked"  # stays, to be refused
