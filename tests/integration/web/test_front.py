"""nginx as it is shipped, before the web room: uploads of strangers, names, refusals, the way to HTTPS."""

from __future__ import annotations

import json
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import sync_playwright

from appliance.http.proxies import FORWARDED, SOCKET_ONLY
from tests.builders.instances import ct, part10
from tests.integration.web.client import STOW, WebClient, stow_body
from tests.integration.web.front import HUGE, LONGEST, Front
from tests.integration.web.test_login import PASSWORD, enter
from tests.partners.chromium import launched, visiting
from tests.partners.nginx import Nginx
from tests.waiting import wait_until

UPLOAD = "POST /dicom-web/studies HTTP/1.1\nHost: localhost\n"
GIGABYTE = 1 << 30


def spooled(front: Front) -> list[Path]:
    """Every file that a body has left on a disk."""
    places = (front.nginx.folder / "body", front.box.home / "spool" / "web")
    return [path for place in places for path in place.rglob("*") if path.is_file()]


@pytest.mark.parametrize("proof", ["", "Cookie: __Host-appliance=" + "A" * 43 + "\n", "Authorization: Bearer x\n"])
@pytest.mark.parametrize("length", [f"Content-Length: {GIGABYTE}", "Transfer-Encoding: chunked"])
def test_a_gigabyte_of_a_stranger_is_refused_before_it_comes(front: Front, proof: str, length: str) -> None:
    started = time.monotonic()
    status, answer = front.raw(f"{UPLOAD}{proof}{length}", b"10000\r\n" + b"x" * 20_000)
    assert status == 401
    assert b'"status": 401' in answer
    assert b"\r\nwww-authenticate: bearer" in answer.lower()
    assert time.monotonic() - started < 5
    assert spooled(front) == []


def test_whoever_waits_for_a_word_before_the_body_keeps_it(front: Front) -> None:
    status, _ = front.raw(f"{UPLOAD}Expect: 100-continue\nContent-Length: {GIGABYTE}")
    assert status == 401
    token = front.tokens["technician"]["Authorization"]
    status, _ = front.raw(f"{UPLOAD}Authorization: {token}\nExpect: 100-continue\nContent-Length: {GIGABYTE}")
    assert status == 100


REFUSALS: dict[str, tuple[str, str, str, dict[str, str], int]] = {
    "no permission": ("POST", "/dicom-web/studies", "monitor", {}, 403),
    "another site's page": ("POST", "/dicom-web/studies", "technician", {"Origin": "https://evil.example"}, 403),
    "another site": ("POST", "/dicom-web/studies", "technician", {"Sec-Fetch-Site": "cross-site"}, 403),
    "another name": ("POST", "/dicom-web/studies", "technician", {"Host": "evil.example"}, 421),
    "no such path": ("POST", "/dicom-web/nowhere", "technician", {}, 404),
    "another method": ("PUT", "/dicom-web/studies", "technician", {}, 405),
    "a body where none is": ("GET", "/dicom-web/studies", "monitor", {}, 403),
    "too long": ("POST", "/dicom-web/studies", "technician", {"Content-Length": str(LONGEST + 1)}, 413),
    "no room": ("POST", "/dicom-web/studies", "technician", {"Content-Length": str(HUGE)}, 507),
}


@pytest.mark.parametrize("case", sorted(REFUSALS))
def test_nginx_refuses_a_body_in_the_words_of_the_room(front: Front, case: str) -> None:
    method, path, role, more, expected = REFUSALS[case]
    fields = {"Host": "localhost", "Content-Length": str(GIGABYTE), **front.tokens[role], **more}
    head = f"{method} {path} HTTP/1.1\n" + "\n".join(f"{name}: {value}" for name, value in fields.items())
    status, answer = front.raw(head, b"x" * 1000)
    assert status == expected
    fields_of_answer, _, body = answer.partition(b"\r\n\r\n")
    assert json.loads(body)["status"] == expected
    assert b"Content-Type: application/problem+json" in fields_of_answer
    assert (b"\r\nRetry-After: 60" in fields_of_answer) == (expected == 507)
    assert spooled(front) == []


def test_who_may_store_does(front: Front, outside: WebClient) -> None:
    body = stow_body(part10(ct(PixelData=bytes(2_000_000), Rows=1000, Columns=1000)))
    headers = {"Content-Type": STOW, **front.tokens["technician"]}
    answer = outside.ask("POST", "/dicom-web/studies", data=body, headers=headers)
    assert (answer.status_code, answer.headers["Stored-As"]) == (200, "stored=1")
    assert answer.headers["Content-Location"].startswith(outside.url)
    chunks = iter([body[:100_000], body[100_000:]])
    again = outside.ask("POST", "/dicom-web/studies", data=chunks, headers=headers)
    assert (again.status_code, again.headers["Stored-As"]) == (200, "duplicate=1")


def test_nobody_gives_themselves_out_as_nginx(front: Front, outside: WebClient) -> None:
    certificate = front.modality.certificate.read_text().replace("\n", "%0A")
    forged = {"X-Client-Verify": "SUCCESS", "X-Client-Cert": certificate, "X-Edge-Body": "asked"}
    for headers in (forged, {name.replace("-", "_"): value for name, value in forged.items()}):
        assert outside.ask("GET", "/dicom-web/studies", headers=headers).status_code == 401
    for name in (*FORWARDED, *SOCKET_ONLY):
        with WebClient(front.box.url) as near:
            assert near.ask("GET", "/healthz", headers={name: "SUCCESS"}).status_code == 403, name
    enter(outside, "ann", "a wrong long sentence", headers={"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.2"})
    addresses = {line["address"] for line in json.loads(front.box.command("user", "audit", "--json").stdout)}
    assert not addresses & {"192.0.2.1", "192.0.2.2"}


@pytest.mark.parametrize(
    "path",
    ["/dicom-edge-body", "/dicom-edge-stored/", "/dicom-edge-stored/../../index.db", "/%64icom-edge-stored/default",
     "//dicom-edge-stored//default", "/dicom-edge-stored/..%2f..%2faccess.db", "/dicom-web/../dicom-edge-stored/x"],
)  # fmt: skip
def test_what_is_between_nginx_and_the_room_is_reached_by_nobody_else(front: Front, path: str) -> None:
    status, _ = front.raw(
        f"GET {path} HTTP/1.1\nHost: localhost\nAuthorization: {front.tokens['technician']['Authorization']}"
    )
    assert status in (400, 404)


def test_http_leads_to_https_and_stays_there(front: Front, outside: WebClient) -> None:
    plain = requests.get(
        f"http://127.0.0.1:{front.nginx.plain_port}/studies/1.2?a=b",
        allow_redirects=False, timeout=10, proxies={"http": ""},
    )  # fmt: skip
    assert (plain.status_code, plain.headers["Location"]) == (308, "https://127.0.0.1/studies/1.2?a=b")
    assert "Strict-Transport-Security" not in plain.headers
    for path in ("/healthz", "/dicom-web/studies", "/login", "/nowhere"):
        assert outside.get(path).headers["Strict-Transport-Security"] == "max-age=31536000", path


def test_ciphers_without_forward_secrecy_are_refused(front: Front) -> None:
    context = ssl.create_default_context(cafile=str(front.nginx.trusted))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA256:AES256-SHA:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", front.nginx.port), timeout=10) as line, pytest.raises(ssl.SSLError):
        context.wrap_socket(line, server_hostname="localhost")


def test_while_the_room_is_away_senders_are_asked_to_come_back(front: Front, tmp_path: Path) -> None:
    nginx = Nginx(tmp_path / "n", tmp_path / "nobody.sock", front.box.home)
    nginx.program.start()
    try:
        with WebClient(nginx.url, nginx.trusted) as web:
            wait_until(lambda: accepts(nginx.port), 10)
            answer = web.stow(b"x", **front.tokens["technician"])
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    finally:
        nginx.program.stop()


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_forms_are_not_sent_without_end(front: Front, tmp_path: Path) -> None:
    with Nginx(tmp_path / "n", front.box.home.parent / "web.sock", front.box.home) as other:
        with WebClient(other.url, other.trusted) as web:
            statuses = [enter(web, "ann", headers={"Origin": "https://evil.example"}).status_code for _ in range(24)]
            assert statuses[:20] == [403] * 20
            assert 429 in statuses[20:]
            assert web.get("/login").status_code == 200
        with WebClient(other.url, other.trusted) as web:
            assert web.ask("POST", "/account", data={"a": "x" * 70_000}).status_code == 413


def test_a_browser_logs_in_over_https_by_http_2(front: Front) -> None:
    with sync_playwright() as driver, launched(driver) as browser, visiting(browser, front.nginx.url) as visit:
        visit.open("/")
        visit.page.fill("#name", "ann")
        visit.page.fill("#password", PASSWORD)
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_url(f"{front.nginx.url}/")
        used: Any = visit.page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
        assert used == "h2"
        (cookie,) = visit.page.context.cookies()
        assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == ("__Host-appliance", True, True)
        visit.check()
