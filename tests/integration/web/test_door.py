"""The door of a running room: who is turned away, what every answer carries, what is written down."""

from __future__ import annotations

import json
import socket
import time
from urllib.parse import quote

import pytest

from tests.builders.instances import ct, part10
from tests.integration.web.client import WebClient, stow_body
from tests.partners.appliance import Appliance
from tests.waiting import wait_until


@pytest.mark.parametrize("path", ["/", "/dicom-web/studies", "/metrics", "/static/appliance.css", "/nowhere"])
def test_every_answer_has_the_security_headers(web: WebClient, path: str) -> None:
    headers = web.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "public" not in headers["Cache-Control"]
    assert "Server" not in headers
    assert "Access-Control-Allow-Origin" not in headers


def test_another_host_name_is_refused_everywhere(web: WebClient) -> None:
    for path in ("/", "/dicom-web/studies", "/static/appliance.css", "/nowhere"):
        assert web.get(path, Host="evil.example").status_code == 421


def test_a_proxy_is_refused(web: WebClient) -> None:
    for name in ("Forwarded", "X_Forwarded_For", "X_Real_IP"):
        assert web.get("/", **{name: "10.0.0.9"}).status_code == 403


def test_another_site_cannot_store(web: WebClient) -> None:
    body = stow_body(part10(ct()))
    assert web.stow(body, Origin="http://evil.example").status_code == 403
    assert web.stow(body, Sec_Fetch_Site="cross-site").status_code == 403
    assert web.stow(body, Origin=web.url).status_code == 200


def test_other_methods_and_paths_are_problems(web: WebClient) -> None:
    answer = web.ask("DELETE", "/dicom-web/studies")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert answer.json()["title"] == "Method Not Allowed"
    missing = web.get("/dicom-web/nothing")
    assert (missing.status_code, missing.headers["Content-Type"]) == (404, "application/problem+json")


def test_queries_and_patient_data_are_not_written_down(appliance: Appliance, web: WebClient) -> None:
    secret = "SECRETPATIENT"
    web.keep(ct(PatientID=secret, PatientName=f"{secret}^Name", AccessionNumber=secret))
    web.get(f"/dicom-web/studies?PatientName={secret}*&00100020={secret}")
    web.get(f"/?name={secret}")
    web.get(f"/dicom-web/studies?StudyDate={secret}")
    web.get(f"/{secret}")
    assert secret not in web.get("/metrics").text
    assert secret not in appliance.output()


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70000 + b"\r\n\r\n",
        b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /" + quote("\x00\r\n../../etc").encode() + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_a_broken_request_is_refused_and_the_room_goes_on(appliance: Appliance, web: WebClient, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", appliance.web_port), timeout=10) as connection:
        connection.sendall(raw)
        assert connection.recv(64).split(b" ")[1][:1] in (b"4", b"5")
    assert web.get("/healthz").status_code == 200


def test_slow_clients_take_no_thread(appliance: Appliance, web: WebClient) -> None:
    connections = [socket.create_connection(("127.0.0.1", appliance.web_port), timeout=10) for _ in range(200)]
    try:
        for number, connection in enumerate(connections):
            if number % 2:
                connection.sendall(
                    b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n-"
                )
        started = time.monotonic()
        assert web.get("/healthz").status_code == 200
        assert time.monotonic() - started < 5
    finally:
        for connection in connections:
            connection.close()


def test_a_silent_monitor_does_not_count(appliance: Appliance, web: WebClient) -> None:
    silent = appliance.home / "run" / "monitor.json"
    silent.write_text(json.dumps({"room": "monitor", "pid": 2**22 + 1, "at": 0}))
    try:
        assert web.get("/readyz").json() == {"status": "ready", "reasons": []}
    finally:
        silent.unlink()


def test_ready_says_which_room_is_silent(appliance: Appliance, web: WebClient) -> None:
    assert web.get("/readyz").json() == {"status": "ready", "reasons": []}
    silent = appliance.home / "run" / "sync.json"
    silent.write_text(json.dumps({"room": "sync", "pid": 2**22 + 1, "at": 0}))
    try:
        answer = web.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"][0].startswith("room sync has been silent")
        assert 'dicom_edge_room_up{room="sync"} 0.0' in web.get("/metrics").text
    finally:
        silent.unlink()
    wait_until(lambda: web.get("/readyz").status_code == 200)


def test_changes_are_told_since_a_revision(web: WebClient) -> None:
    before = web.get("/api/v1/changes").json()["revision"]
    dataset = ct()
    web.keep(dataset)
    answer = web.get(f"/api/v1/changes?after={before}").json()
    assert [study["study_uid"] for study in answer["studies"]] == [dataset.StudyInstanceUID]
    assert web.get(f"/api/v1/changes?after={answer['revision']}").json()["studies"] == []
    assert web.get("/api/v1/changes?after=x").status_code == 400
