"""A running room under attack: by strangers, by other sites, by those who may a little and want more."""

from __future__ import annotations

import json
import re
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.builders.instances import ct, part10
from tests.builders.papers import structured_report
from tests.integration.web.client import WebClient, stow_body
from tests.integration.web.test_login import PASSWORD, REQUIRED, add, bearer, enter
from tests.partners.appliance import Appliance
from tests.waiting import wait_until

PATIENT = {"PatientName": "Secret^Person", "PatientID": "HUSH-1"}
NOT_AUTHORISED = 0x0124
REPORT_CLASS = "1.2.840.10008.5.1.4.1.1.88.33"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A box without proxies, with a viewer, ann."""
    folder = tmp_path_factory.mktemp("attacks")
    (folder / "password").write_text(f"{PASSWORD}\n")
    with Appliance(folder / "home", REQUIRED) as started:
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


@pytest.fixture(scope="module")
def image(box: Appliance) -> Dataset:
    """An image that a technician has stored."""
    kept = ct(**PATIENT)
    with WebClient(box.url) as client:
        answer = client.stow(stow_body(part10(kept)), **bearer(box, "modality", "technician"))
        assert answer.status_code == 200, answer.text
    return kept


def raw(box: Appliance, request: str) -> tuple[int, str]:
    """Send bytes as they are: status and everything that came back."""
    with socket.create_connection(("127.0.0.1", box.web_port), timeout=10) as connection:
        connection.sendall(request.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return int(answer.split(b" ", 2)[1]), answer.decode("latin-1")


def test_a_session_that_was_planted_is_not_the_one_that_a_login_opens(web: WebClient) -> None:
    planted = "A" * 43
    answer = enter(web, "ann", headers={"Cookie": f"appliance={planted}"})
    assert answer.status_code == 303
    assert planted not in answer.headers["Set-Cookie"]
    with WebClient(web.url) as thief:
        assert thief.ask("GET", "/dicom-web/studies", headers={"Cookie": f"appliance={planted}"}).status_code == 401


@pytest.mark.parametrize("path", ["/login", "/logout", "/setup", "/account", "/dicom-web/studies"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://[", "http://localhost.evil.example"])
def test_no_form_is_taken_from_another_site(web: WebClient, path: str, origin: str) -> None:
    assert web.ask("POST", path, headers={"Origin": origin}).status_code == 403
    assert web.ask("POST", path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80"])
def test_another_name_for_the_box_reaches_nothing(box: Appliance, host: str) -> None:
    for path in ("/", "/login", "/healthz", "/static/appliance.css", "/nowhere"):
        assert raw(box, f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n")[0] == 421


def test_nobody_is_led_away_by_a_path(box: Appliance) -> None:
    for path in (
        "//evil.example/",
        "///evil.example",
        "/%2F%2Fevil.example",
        "/\\evil.example",
        "//evil.example/studies/1",
    ):
        status, answer = raw(box, f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert status == 401
        assert "location:" not in answer.lower()
    status, answer = raw(box, "GET http://evil.example/studies/1.2 HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert "evil" not in answer.partition("\r\n\r\n")[0].lower()


PUBLIC = ("/static/", "/ohif/b/")
# One path of each kind of door, written as people write who want to get by a check.
DOORS = ("/dicom-web/studies", "/metrics", "/api/v1/openapi.json", "/api/v1/changes", "/studies/1.2/export", "/wado")
SPELLINGS = (
    "{0}", "{0}/", "/{0}", "{0}//", "{0}?", "/.{0}", "/static/..{0}", "/static/%2e%2e{0}", "/login/..{0}",
    "/healthz/..{0}", "/%2e{0}", "{0}%00", "{0};a=b", "{0}/.", "{0}%2f", "/ohif/b/..{0}", "{0}.css", "{0}%20",
)  # fmt: skip
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "PROPFIND", "X")


@pytest.mark.parametrize("method", METHODS)
def test_no_spelling_and_no_method_gets_a_stranger_by_the_gate(box: Appliance, method: str) -> None:
    for door in DOORS:
        for spelling in SPELLINGS:
            path = spelling.format(door)
            status, answer = raw(box, f"{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")
            # 403: a POST below /static... is judged as any other; never 2xx, and never where to go on.
            allowed = {400, 401, 403, 404, 405, 501} | (
                {200} if method == "OPTIONS" and path.startswith(PUBLIC) else set()
            )
            assert status in allowed, (method, path, status)
            assert "Secret" not in answer


def test_a_method_does_not_raise_what_somebody_may(box: Appliance, image: Dataset, web: WebClient) -> None:
    monitor = bearer(box, "counter", "monitor")
    for method in ("GET", "HEAD", "OPTIONS", "POST"):
        for path in ("/dicom-web/studies", f"/studies/{image.StudyInstanceUID}", "/upload", "/account"):
            answer = web.ask(method, path, headers={**monitor, "X-HTTP-Method-Override": "GET"})
            assert answer.status_code in (401, 403, 405), (method, path)
    assert web.ask("GET", "/metrics", headers=monitor).status_code == 200


def test_a_token_is_taken_from_the_header_alone(box: Appliance, web: WebClient) -> None:
    token = bearer(box, "url", "admin")["Authorization"].partition(" ")[2]
    for name in ("access_token", "token", "authorization", "api_key", "appliance"):
        assert web.ask("GET", "/dicom-web/studies", params={name: token}).status_code == 401
    assert web.ask("GET", "/dicom-web/studies", headers={"Cookie": f"appliance={token}"}).status_code == 401
    assert web.ask("GET", "/dicom-web/studies", headers={"X-Api-Key": token}).status_code == 401


def test_a_cookie_is_no_token_and_a_token_opens_no_session(box: Appliance, web: WebClient) -> None:
    session = enter(web, "ann").cookies["appliance"]
    with WebClient(box.url) as other:
        headers = {"Authorization": f"Bearer {session}"}
        assert other.ask("GET", "/dicom-web/studies", headers=headers).status_code == 401


def test_guessing_at_tokens_writes_nothing(box: Appliance, web: WebClient) -> None:
    before = len(json.loads(box.command("user", "audit", "--json").stdout))
    for number in range(200):
        headers = {"Authorization": f"Bearer dea_{number:043d}", "Cookie": f"appliance={number:043d}"}
        assert web.ask("GET", "/dicom-web/studies", headers=headers).status_code == 401
    assert len(json.loads(box.command("user", "audit", "--json").stdout)) == before


def test_an_address_that_somebody_claims_does_not_shorten_the_wait(box: Appliance, web: WebClient) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert enter(web, "ann", "a wrong long sentence", headers={name: "192.0.2.1"}).status_code == 403
    # A name with an underscore becomes the same variable of WSGI.
    head = "POST /login HTTP/1.0\r\nHost: localhost\r\nX_Forwarded_For: 192.0.2.1\r\nContent-Length: 0\r\n"
    assert raw(box, f"{head}\r\n")[0] in (401, 403)
    addresses = {line["address"] for line in json.loads(box.command("user", "audit", "--json").stdout)}
    assert "192.0.2.1" not in addresses


def test_a_set_up_code_is_not_guessed_and_not_used_twice(tmp_path: Path) -> None:
    with Appliance(tmp_path / "home", REQUIRED) as fresh:
        found = re.search(r"Set-up code: (\S+)", fresh.command("init").stdout)
        assert found is not None
        fresh.start("web")
        fresh.wait_ready("web")
        form = {"name": "root", "password": PASSWORD, "again": PASSWORD}
        with WebClient(fresh.url) as web:
            guesses = [web.ask("POST", "/setup", data={**form, "code": f"{n:016d}"}).status_code for n in range(12)]
            assert guesses[:6] == [401] * 6
            assert 429 in guesses[6:8]
            wait_until(lambda: web.ask("POST", "/setup", data={**form, "code": found[1]}).status_code == 303, 30)
        with WebClient(fresh.url) as other:
            again = {**form, "name": "rogue", "code": found[1]}
            assert other.ask("POST", "/setup", data=again).status_code in (401, 429)
        assert [row["name"] for row in json.loads(fresh.command("user", "list", "--json").stdout)] == ["root"]


def test_a_role_that_changes_ends_the_sessions_of_the_one_before(box: Appliance, web: WebClient) -> None:
    add(box, "rising", "technician")
    assert enter(web, "rising").status_code == 303
    assert web.get("/upload").status_code == 200
    box.command("user", "role", "rising", "viewer")
    wait_until(lambda: web.get("/upload").status_code == 303, 5)
    assert enter(web, "rising").status_code == 303
    assert web.get("/upload").status_code == 403
    assert box.command("user", "role", "rising", "monitor", check=False).returncode == 2
    assert box.command("user", "role", "nobody", "viewer", check=False).returncode != 0


def test_what_strangers_are_told_names_nobody(box: Appliance, image: Dataset, web: WebClient) -> None:
    study = image.StudyInstanceUID
    paths = (
        "/",
        "/login",
        "/setup",
        "/healthz",
        "/readyz",
        f"/studies/{study}",
        f"/dicom-web/studies/{study}/metadata",
    )
    for path in (
        *paths,
        f"/viewer/{study}",
        f"/ohif/viewer?StudyInstanceUIDs={study}",
        "/ohif/app-config.js",
        "/nowhere",
    ):
        answer = web.get(path)
        assert "Secret" not in answer.text
        assert "HUSH" not in answer.text
        assert str(box.home) not in answer.text
    assert "Server" not in web.get("/login").headers


def test_pages_and_data_are_kept_by_nothing_in_between_and_framed_by_nobody(web: WebClient, image: Dataset) -> None:
    enter(web, "ann")
    study = image.StudyInstanceUID
    for path in ("/", f"/studies/{study}", f"/viewer/{study}", "/account"):
        answer = web.get(path)
        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"], path
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    for path in (
        "/dicom-web/studies",
        f"/dicom-web/studies/{study}",
        f"/dicom-web/studies/{study}/metadata",
        "/nowhere",
    ):
        kept = web.get(path).headers["Cache-Control"]
        assert "private" in kept or "no-store" in kept
        assert "no-cache" in kept or "no-store" in kept
    left = web.ask("POST", "/logout")
    assert left.headers["Clear-Site-Data"] == '"cache"'
    assert web.get("/login").headers["X-Frame-Options"] == "DENY"


def report(image: Dataset, **more: object) -> Dataset:
    """A report on an image, in a series of its own."""
    same = {name: image.get(name) for name in ("StudyInstanceUID", "PatientID", "PatientName")}
    same |= {name: image[name].value for name in ("PatientBirthDate", "PatientSex", "AccessionNumber") if name in image}
    return structured_report([], **{"SeriesInstanceUID": generate_uid(), **same, **more})


def stored(web: WebClient, dataset: Dataset) -> tuple[int, int]:
    """Store; the status and the Failure Reason, 0 for none."""
    answer = web.stow(stow_body(part10(dataset)))
    failed = answer.json().get("00081198", {}).get("Value", [{}])[0]
    return answer.status_code, failed.get("00081197", {}).get("Value", [0])[0]


def test_a_viewer_saves_measurements_and_nothing_else(web: WebClient, image: Dataset) -> None:
    enter(web, "ann")
    assert stored(web, report(image)) == (200, 0)
    refused = {
        "an image": ct(**PATIENT, StudyInstanceUID=image.StudyInstanceUID),
        "another study": report(image, StudyInstanceUID=generate_uid()),
        "another patient": report(image, PatientID="OTHER"),
        "another name": report(image, PatientName="Other^Person"),
        "the series of images": report(image, SeriesInstanceUID=image.SeriesInstanceUID),
    }
    assert {what: stored(web, dataset) for what, dataset in refused.items()} == dict.fromkeys(
        refused, (403, NOT_AUTHORISED)
    )
    found = web.search(f"/studies/{image.StudyInstanceUID}/instances")
    assert sorted(one["00080016"]["Value"][0] for one in found) == sorted({str(image.SOPClassUID), REPORT_CLASS})


def test_whoever_says_that_a_page_asks_is_written_down_all_the_same(tmp_path: Path) -> None:
    sink = {"centre": {"kind": "kafka", "bootstrap_servers": ["127.0.0.1:1"]}}
    with Appliance(tmp_path / "home", REQUIRED | {"APPLIANCE__SYNC__SINKS": json.dumps(sink)}) as box:
        box.command("init")
        headers = bearer(box, "reader", "viewer")
        box.start("web")
        box.wait_ready("web")
        with WebClient(box.url) as web:
            for _ in range(5):
                web.ask("GET", "/dicom-web/studies?live=1", headers=headers)
        assert box.stop("web") == 0
        assert len(json.loads(box.command("outbox", "list", "--json").stdout)) == 5


def test_the_accounts_are_readable_by_their_owner_alone(box: Appliance) -> None:
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in box.home.glob("access.db*")}
    assert modes
    assert set(modes.values()) == {"0o600"}


def test_who_has_an_account_is_not_told_by_time(box: Appliance) -> None:
    took: dict[str, list[float]] = {"ann": [], "nobody": []}
    for _ in range(3):
        for name, times in took.items():
            with WebClient(box.url) as web:
                started = time.perf_counter()
                assert enter(web, name, "a wrong long sentence").status_code in (401, 429)
                times.append(time.perf_counter() - started)
    assert min(took["nobody"]) > min(took["ann"]) / 2
    assert min(took["ann"]) > min(took["nobody"]) / 2
