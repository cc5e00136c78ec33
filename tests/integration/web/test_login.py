"""A running room that wants a login: the way in, the way out, and what is written down of it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.http.proxies import FORWARDED
from tests.builders.instances import ct, part10
from tests.integration.web.client import STOW, WebClient, stow_body
from tests.partners.appliance import Appliance
from tests.waiting import wait_until

PASSWORD = "a good long sentence"
REQUIRED = {"APPLIANCE__WEB__LOGIN": "required"}
DATA = ("/dicom-web/studies", "/dicom-web/studies/1.2", "/api/v1/changes", "/metrics", "/wado?requestType=WADO")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A box with a viewer, ann, that believes a proxy on loopback."""
    folder = tmp_path_factory.mktemp("login")
    (folder / "password").write_text(f"{PASSWORD}\n")
    proxies = {"APPLIANCE__WEB__TRUSTED_PROXIES": json.dumps(["127.0.0.1"])}
    with Appliance(folder / "home", REQUIRED | proxies) as started:
        started.command("init")
        add(started, "ann", "viewer")
        started.start("web")
        started.wait_ready("web")
        yield started


@pytest.fixture
def web(box: Appliance) -> Iterator[WebClient]:
    """A browser that has not logged in."""
    with WebClient(box.url) as client:
        yield client


def add(box: Appliance, name: str, role: str) -> None:
    box.command("user", "add", name, "--role", role, "--password-file", str(box.home.parent / "password"))


def enter(web: WebClient, name: str, password: str = PASSWORD, wanted: str = "", **more: Any) -> requests.Response:
    return web.ask("POST", "/login", data={"name": name, "password": password, "next": wanted}, **more)


def bearer(box: Appliance, name: str, role: str) -> dict[str, str]:
    made = json.loads(box.command("token", "add", name, "--role", role, "--json").stdout)
    return {"Authorization": f"Bearer {made['token']}"}


def test_without_a_login_there_is_no_data(web: WebClient) -> None:
    for path in DATA:
        answer = web.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    page = web.get("/studies/1.2")
    assert (page.status_code, page.headers["Location"]) == (303, "/login?next=%2Fstudies%2F1.2")
    assert web.get("/static/appliance.css").status_code == 200
    assert web.get("/healthz").status_code == 200


def test_a_login_opens_pages_and_data_until_the_logout(web: WebClient) -> None:
    answer = enter(web, "Ann", wanted="/?modality=CT")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?modality=CT")
    cookie = answer.headers["Set-Cookie"]
    assert re.fullmatch(r"appliance=[\w-]{43}; HttpOnly; Path=/; SameSite=Strict", cookie)
    assert web.get("/").status_code == 200
    assert web.get("/dicom-web/studies").status_code in (200, 204)
    assert web.get("/metrics").status_code == 403
    assert web.get("/upload").status_code == 403
    left = web.ask("POST", "/logout")
    assert (left.status_code, left.headers["Location"]) == (303, "/login")
    kept = {"Cookie": cookie.partition(";")[0]}
    assert web.ask("GET", "/dicom-web/studies", headers=kept).status_code == 401


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example/", "https://evil.example/", "/\\evil.example", "\\\\evil", "javascript:x", "/a b", "/\n/x", ""],
)
def test_no_address_of_somebody_else_is_led_to(web: WebClient, wanted: str) -> None:
    assert enter(web, "ann", wanted=wanted).headers["Location"] == "/"


def test_another_site_cannot_log_anybody_in_or_out(web: WebClient) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert enter(web, "ann", headers=headers).status_code == 403
        assert web.ask("POST", "/logout", headers=headers).status_code == 403


def test_a_wrong_password_says_no_more_than_that(web: WebClient) -> None:
    told = set()
    for name in ("ann", "nobody"):
        answer = enter(web, name, "a wrong long sentence")
        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers
        told.add(answer.text.replace(f'value="{name}"', ""))
    assert len(told) == 1


def test_too_many_failures_make_a_name_wait(box: Appliance, web: WebClient) -> None:
    add(box, "locked", "viewer")
    answers = [enter(web, "locked", "a wrong long sentence", headers=proxied(number)) for number in range(8)]
    assert [answer.status_code for answer in answers] == [401] * 6 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert enter(web, "locked", headers=proxied(99)).status_code == 429
    box.command("user", "enable", "locked")
    assert enter(web, "locked", headers=proxied(99)).status_code == 303


def proxied(number: int) -> dict[str, str]:
    """What a trusted proxy says of a client; every test has addresses of its own."""
    return {"X-Forwarded-For": f"198.51.100.1, 192.0.2.{number}", "X-Forwarded-Proto": "http"}


def test_disabling_and_resetting_end_sessions_within_seconds(box: Appliance, web: WebClient) -> None:
    add(box, "leaver", "technician")
    for verb in (("disable", "leaver"), ("reset", "leaver", "--password-file", str(box.home.parent / "password"))):
        box.command("user", "enable", "leaver")
        assert enter(web, "leaver").status_code == 303
        assert web.get("/dicom-web/studies").status_code in (200, 204)
        box.command("user", *verb)
        wait_until(lambda: web.get("/dicom-web/studies").status_code == 401, 5)
    assert enter(web, "ann").status_code == 303


def test_programs_prove_themselves_by_token(box: Appliance, web: WebClient) -> None:
    body = stow_body(part10(ct()))
    viewer, sender = bearer(box, "looker", "viewer"), bearer(box, "sender", "technician")
    store = lambda headers: web.ask("POST", "/dicom-web/studies", data=body, headers={"Content-Type": STOW, **headers})  # noqa: E731
    assert [store(headers).status_code for headers in ({}, viewer, sender)] == [401, 403, 200]
    assert web.ask("GET", "/dicom-web/studies", headers=viewer).status_code == 200
    assert web.ask("GET", "/account", headers=sender).status_code == 403
    box.command("token", "revoke", "looker")
    wait_until(lambda: web.ask("GET", "/dicom-web/studies", headers=viewer).status_code == 401, 5)


def test_behind_https_the_cookie_is_bound_to_host_and_tls(web: WebClient) -> None:
    headers = {**proxied(120), "X-Forwarded-Proto": "https", "Origin": f"https://{web.url.partition('//')[2]}"}
    answer = enter(web, "ann", headers=headers)
    assert answer.status_code == 303
    assert re.fullmatch(
        r"__Host-appliance=[\w-]{43}; Secure; HttpOnly; Path=/; SameSite=Strict", answer.headers["Set-Cookie"]
    )
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    assert web.ask("GET", "/", headers={**headers, "Cookie": cookie}).status_code == 200
    unbound = {**headers, "Cookie": cookie.removeprefix("__Host-")}
    assert web.ask("GET", "/", headers=unbound).status_code == 303


@settings(max_examples=40)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=120))
@example("appliance=" + "A" * 43)
@example("appliance=; appliance=x; appliance")
@example('appliance="\\303"')
def test_no_cookie_and_no_token_breaks_the_gate(box: Appliance, text: str) -> None:
    with WebClient(box.url) as web:
        for headers in ({"Cookie": text.strip()}, {"Cookie": f"appliance={text}"}, {"Authorization": f"Bearer {text}"}):
            encoded = {name: value.encode("latin-1") for name, value in headers.items()}
            assert web.ask("GET", "/dicom-web/studies", headers=encoded).status_code == 401


def test_a_form_is_small(web: WebClient) -> None:
    assert enter(web, "ann", "x" * 20_000).status_code == 413


def test_a_stranger_cannot_fill_the_disk(box: Appliance) -> None:
    spool = box.home / "spool" / "web"
    for length in (b"Content-Length: 10000000000", b"Transfer-Encoding: chunked"):
        for proof in (b"", b"Cookie: appliance=" + b"A" * 43 + b"\r\n", b"Authorization: Bearer x\r\n"):
            head = b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\n" + proof + length + b"\r\n\r\n"
            with socket.create_connection(("127.0.0.1", box.web_port), timeout=10) as connection:
                connection.sendall(head)
                with suppress(OSError):
                    connection.sendall((b"10000\r\n" + b"x" * 65536 + b"\r\n") * 2)
                assert connection.recv(64).split(b" ")[1] == b"401"
    assert list(spool.iterdir()) == []


def test_a_large_object_comes_in_by_token(box: Appliance, web: WebClient) -> None:
    body = stow_body(part10(ct(PixelData=bytes(200_000), Rows=200, Columns=500)))
    headers = {"Content-Type": STOW, **bearer(box, "large", "technician")}
    assert web.ask("POST", "/dicom-web/studies", data=body, headers=headers).status_code == 200


def test_logins_are_written_down_and_passwords_never(box: Appliance, web: WebClient) -> None:
    secret = "hush hush long sentence"
    enter(web, secret, "x", headers=proxied(140))
    enter(web, "ann", secret, headers=proxied(140))
    enter(web, "ann", headers=proxied(141))
    lines = json.loads(box.command("user", "audit", "--json").stdout)
    mine = [(line["fact"], line["name"]) for line in lines if line["address"] in ("192.0.2.140", "192.0.2.141")]
    assert mine == [("login", "ann"), ("failure", "ann"), ("failure", "")]
    everything = box.output() + json.dumps(lines) + box.command("user", "list", "--json").stdout
    assert secret not in everything
    assert PASSWORD not in everything
    assert "argon2" not in everything


def test_reads_are_queued_for_a_kafka_sink(tmp_path: Path) -> None:
    sink = {"centre": {"kind": "kafka", "bootstrap_servers": ["127.0.0.1:1"]}}
    with Appliance(tmp_path / "home", REQUIRED | {"APPLIANCE__SYNC__SINKS": json.dumps(sink)}) as box:
        box.command("init")
        headers = bearer(box, "reader", "viewer")
        box.start("web")
        box.wait_ready("web")
        with WebClient(box.url) as web:
            for _ in range(50):
                web.ask("GET", "/dicom-web/studies?PatientName=SECRET", headers=headers)
        assert box.stop("web") == 0
        events = [row["event_id"] for row in json.loads(box.command("outbox", "list", "--json").stdout)]
        assert len(events) == 50
        shown = box.command("outbox", "show", str(events[0]), "--json").stdout
        assert "SECRET" not in shown
        assert "dea_" not in shown
        assert '"user": "reader"' in shown


def test_an_unvouched_proxy_is_refused(tmp_path: Path) -> None:
    with Appliance(tmp_path / "home", REQUIRED) as strict:
        strict.command("init")
        strict.start("web")
        strict.wait_ready("web")
        with WebClient(strict.url) as web:
            assert {web.ask("GET", "/login", headers={name: "192.0.2.1"}).status_code for name in FORWARDED} == {403}
            assert web.get("/login").status_code == 200
        assert strict.stop("web") == 0


def test_a_sessions_use_survives_a_restart_of_the_room(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    with Appliance(tmp_path / "home", REQUIRED) as box:
        box.command("init")
        add(box, "ann", "viewer")
        box.start("web")
        box.wait_ready("web")
        with WebClient(box.url) as web:
            enter(web, "ann")
            box.kill("web")
            box.start("web")
            box.wait_ready("web")
            assert web.get("/").status_code == 200
