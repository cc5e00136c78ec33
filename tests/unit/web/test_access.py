"""Guards of the door: other names, other sites and proxies stay outside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from appliance.http.proxies import FORWARDED
from appliance.web.access import allowed_names, check, host_name

ALLOWED = allowed_names("127.0.0.1", ("box.clinic",))


def status(method: str = "GET", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    problem = check(method, Headers({"Host": "localhost:8080", **named}), ALLOWED)
    return 200 if problem is None else problem.status


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "BOX.clinic"])
def test_our_own_names_are_let_in(host: str) -> None:
    assert status(Host=host) == 200


@pytest.mark.parametrize(
    ("host", "refused"),
    [("evil.example", 421), ("localhost.evil.example", 421), ("box.clinic.", 421), ("10.0.0.1:8080", 421)]
    + [(bad, 400) for bad in ("", "a b", "localhost:port", "localhost@evil", "localhost/", "[::1")],
)
def test_other_names_are_refused(host: str, refused: int) -> None:
    assert status(Host=host) == refused


@pytest.mark.parametrize("name", FORWARDED)
def test_requests_through_a_proxy_are_refused(name: str) -> None:
    assert check("GET", Headers({"Host": "localhost", name.lower(): "for=1.2.3.4"}), ALLOWED) is not None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:8080"}, 200),
        ({"Origin": "http://localhost:8080", "Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "none"}, 200),
        ({"Origin": "http://localhost:9090"}, 403),
        ({"Origin": "https://localhost:8080"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "http://localhost:8080", "Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_a_write_comes_from_our_own_pages_or_from_a_program(headers: dict[str, str], expected: int) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert status(method, **headers) == expected
    assert status("GET", **headers) == 200


@given(st.text(max_size=60))
def test_no_host_header_breaks_the_check(text: str) -> None:
    name = host_name(text)
    assert name is None or name == name.lower()


def test_the_scheme_of_an_origin_counts() -> None:
    headers = Headers({"Host": "box.clinic", "Origin": "https://box.clinic"})
    assert check("POST", headers, ALLOWED, "https") is None
    assert check("POST", headers, ALLOWED, "http") is not None
