"""How OHIF is served: what each file may do, how long it is kept, and what is not given."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from appliance.web.ohif_files import LIST
from tests.builders import papers
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance

BUILD = "0123456789ab"
BUNDLE = b"console.log('a bundle');" * 100
WORKER = b"console.log('a worker');"
PAGE = b"<!doctype html><script>window.PUBLIC_URL='/ohif/'</script>"
HASHES = ["sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "sha256-BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB="]
FILES = {"index.html": PAGE, "app.js": BUNDLE, "worker.js": WORKER, "assets/icon.png": b"\x89PNG"}


def build(folder: Path) -> Path:
    """Write what a build leaves, in small."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "app.js.gz").write_bytes(gzip.compress(BUNDLE))
    (folder / "secret.txt").write_text("not in the list")
    files = {name: {"sha256": name * 8, "bytes": 1, "gzip": name == "app.js"} for name in FILES}
    document = {"version": "1.2.3", "build": BUILD, "script_hashes": HASHES, "decode_worker": "worker.js"}
    (folder / LIST).write_text(json.dumps({**document, "files": files}))
    return folder


@pytest.fixture(scope="module")
def ohif(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebClient]:
    """A client of a box with that build."""
    folder = tmp_path_factory.mktemp("ohif")
    settings = {"APPLIANCE__WEB__OHIF": str(build(folder / "built"))}
    with Appliance(folder / "home", settings) as box:
        box.command("init")
        box.start("web")
        box.wait_ready("web")
        with WebClient(box.url) as client:
            yield client


def directives(policy: str) -> dict[str, list[str]]:
    """Return a Content Security Policy as its directives."""
    return {name: sources for name, *sources in (part.split() for part in policy.split(";"))}


def test_the_page_may_run_its_own_scripts_and_ask_its_own_host_only(ohif: WebClient) -> None:
    answer = ohif.get("/ohif/viewer")
    assert answer.status_code == 200
    assert answer.content == PAGE
    policy = directives(answer.headers["Content-Security-Policy"])
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == ["'self'", "'wasm-unsafe-eval'", *(f"'{each}'" for each in HASHES)]
    assert policy["connect-src"] == policy["worker-src"] == policy["frame-ancestors"] == ["'self'"]
    assert policy["form-action"] == policy["base-uri"] == ["'none'"]
    assert answer.headers["Cache-Control"] == "no-cache"


def test_only_the_decode_worker_may_evaluate_code(ohif: WebClient) -> None:
    worker = ohif.get(f"/ohif/{BUILD}/worker.js")
    policy = directives(worker.headers["Content-Security-Policy"])
    assert "'unsafe-eval'" in policy["script-src"]
    assert policy["connect-src"] == ["'self'"]
    others = [ohif.get(path) for path in (f"/ohif/{BUILD}/app.js", "/ohif/viewer", "/ohif/app-config.js", "/")]
    assert not any("'unsafe-eval'" in answer.headers["Content-Security-Policy"] for answer in others)


def test_files_of_a_build_are_kept_for_ever_and_come_compressed(ohif: WebClient) -> None:
    packed = ohif.get(f"/ohif/{BUILD}/app.js", Accept_Encoding="gzip, br")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == BUNDLE
    assert packed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Accept-Encoding" in packed.headers["Vary"]
    plain = ohif.get(f"/ohif/{BUILD}/app.js", Accept_Encoding="identity")
    assert "Content-Encoding" not in plain.headers
    assert plain.content == BUNDLE
    assert plain.headers["ETag"] != packed.headers["ETag"]
    again = ohif.get(f"/ohif/{BUILD}/app.js", Accept_Encoding="identity", If_None_Match=plain.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert ohif.get(f"/ohif/{BUILD}/assets/icon.png").headers["Content-Type"] == "image/png"


def test_the_configuration_is_the_appliances_own_and_asked_for_each_time(ohif: WebClient) -> None:
    answer = ohif.get("/ohif/app-config.js")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "'/dicom-web'" in answer.text
    assert "http" not in answer.text.replace("HTTP/1.1", "")
    again = ohif.get("/ohif/app-config.js", If_None_Match=answer.headers["ETag"])
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        f"/ohif/{BUILD}/secret.txt",
        f"/ohif/{BUILD}/{LIST}",
        f"/ohif/{BUILD}/../index.html",
        f"/ohif/{BUILD}/%2e%2e/%2e%2e/etc/passwd",
        f"/ohif/{BUILD}//etc/passwd",
        f"/ohif/{BUILD}/app.js.gz",
        "/ohif/ba9876543210/app.js",
        "/ohif/sw.js",
    ],
)
def test_nothing_else_is_given(ohif: WebClient, path: str) -> None:
    answer = ohif.ask("GET", path)
    assert answer.status_code in (308, 404)


def test_the_study_list_of_ohif_is_ours(ohif: WebClient) -> None:
    answer = ohif.get("/ohif/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_a_study_with_a_report_ohif_cannot_open_is_led_to_the_fallback(ohif: WebClient) -> None:
    good = papers.structured_report([papers.content("TEXT", "Finding", TextValue="Nothing")])
    bad = papers.structured_report([papers.content("TEXT", "", TextValue="Nothing")])
    ohif.keep(good, bad)
    assert ohif.get(f"/ohif/viewer?StudyInstanceUIDs={good.StudyInstanceUID}").status_code == 200
    for asked in (f"{bad.StudyInstanceUID}", f"{good.StudyInstanceUID},{bad.StudyInstanceUID}"):
        led = ohif.get(f"/ohif/viewer?StudyInstanceUIDs={asked}")
        assert led.status_code == 303
        assert led.headers["Location"] == f"/viewer/{asked.split(',')[0]}"


def test_without_a_build_a_study_opens_in_the_fallback(web: WebClient) -> None:
    uid = generate_uid()
    led = web.get(f"/ohif/viewer?StudyInstanceUIDs={uid}")
    assert (led.status_code, led.headers["Location"]) == (303, f"/viewer/{uid}")
    assert web.get("/ohif/viewer").status_code == 404
    assert web.get(f"/ohif/{BUILD}/app.js").status_code == 404


def test_half_a_build_does_not_keep_the_room_from_opening(tmp_path: Path) -> None:
    folder = build(tmp_path / "built")
    (folder / LIST).write_text("{")
    with Appliance(tmp_path / "home", {"APPLIANCE__WEB__OHIF": str(folder)}) as box:
        box.command("init")
        box.start("web")
        box.wait_ready("web")
        assert "no OHIF viewer" in box.output()
