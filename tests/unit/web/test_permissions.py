"""Every route against every role. The table here is written by hand, apart from the product's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from appliance.access.roles import PERMISSIONS, Permission, Role
from appliance.web.permissions import RULES
from tests.unit.web.doors import door, keys, only_the_gate

STUDY = "/dicom-web/studies/1.2"
SERIES = f"{STUDY}/series/1.3"
INSTANCE = f"{SERIES}/instances/1.4"
FRAMES = f"{INSTANCE}/frames/1"

EVERYBODY = {"nobody", "viewer", "technician", "admin", "token:viewer", "token:technician", "token:admin"}
EVERYBODY |= {"token:monitor"}
READERS = EVERYBODY - {"nobody", "token:monitor"}
STORERS = READERS - {"viewer", "token:viewer"}
COUNTERS = STORERS | {"token:monitor"}
PERSONS = {"viewer", "technician", "admin"}

# Endpoint: a request that reaches it, who may, and what a stranger is answered.
TABLE: dict[str, tuple[str, str, set[str], int]] = {
    "static": ("GET", "/static/appliance.css", EVERYBODY, 200),
    "health.alive": ("GET", "/healthz", EVERYBODY, 200),
    "health.ready": ("GET", "/readyz", EVERYBODY, 200),
    "ohif.configuration": ("GET", "/ohif/app-config.js", EVERYBODY, 200),
    "ohif.file": ("GET", "/ohif/b/app.js", EVERYBODY, 200),
    "login.page": ("GET", "/login", EVERYBODY, 200),
    "login.enter": ("POST", "/login", EVERYBODY, 200),
    "login.leave": ("POST", "/logout", EVERYBODY, 200),
    "setup.page": ("GET", "/setup", EVERYBODY, 200),
    "setup.enter": ("POST", "/setup", EVERYBODY, 200),
    "account.page": ("GET", "/account", PERSONS, 303),
    "account.change": ("POST", "/account", PERSONS, 401),
    "health.metrics": ("GET", "/metrics", COUNTERS, 401),
    "pages.studies": ("GET", "/", READERS, 303),
    "pages.study": ("GET", "/studies/1.2", READERS, 303),
    "pages.upload": ("GET", "/upload", STORERS, 303),
    "viewer.page": ("GET", "/viewer/1.2", READERS, 303),
    "viewer.stacks": ("GET", "/api/v1/studies/1.2/stacks", READERS, 401),
    "ohif.home": ("GET", "/ohif/", READERS, 303),
    "ohif.viewer": ("GET", "/ohif/viewer", READERS, 303),
    "api.changes": ("GET", "/api/v1/changes", READERS, 401),
    "api.description": ("GET", "/api/v1/openapi.json", READERS, 401),
    "export.study": ("GET", "/studies/1.2/export", READERS, 401),
    "qido.studies": ("GET", "/dicom-web/studies", READERS, 401),
    "qido.series": ("GET", "/dicom-web/series", READERS, 401),
    "qido.instances": ("GET", "/dicom-web/instances", READERS, 401),
    "qido.studies_study_uid_series": ("GET", f"{STUDY}/series", READERS, 401),
    "qido.studies_study_uid_instances": ("GET", f"{STUDY}/instances", READERS, 401),
    "qido.studies_study_uid_series_series_uid_instances": ("GET", f"{SERIES}/instances", READERS, 401),
    "wado.study": ("GET", STUDY, READERS, 401),
    "wado.series": ("GET", SERIES, READERS, 401),
    "wado.instance": ("GET", INSTANCE, READERS, 401),
    "wado_uri.retrieve": ("GET", "/wado?requestType=WADO", READERS, 401),
    "frames.frames": ("GET", FRAMES, READERS, 401),
    "metadata.study": ("GET", f"{STUDY}/metadata", READERS, 401),
    "metadata.series": ("GET", f"{SERIES}/metadata", READERS, 401),
    "metadata.instance": ("GET", f"{INSTANCE}/metadata", READERS, 401),
    "metadata.bulkdata": ("GET", f"{INSTANCE}/bulkdata/00420011", READERS, 401),
    "rendered.rendered_study": ("GET", f"{STUDY}/rendered", READERS, 401),
    "rendered.thumbnail_study": ("GET", f"{STUDY}/thumbnail", READERS, 401),
    "rendered.rendered_series": ("GET", f"{SERIES}/rendered", READERS, 401),
    "rendered.thumbnail_series": ("GET", f"{SERIES}/thumbnail", READERS, 401),
    "rendered.rendered_instance": ("GET", f"{INSTANCE}/rendered", READERS, 401),
    "rendered.thumbnail_instance": ("GET", f"{INSTANCE}/thumbnail", READERS, 401),
    "rendered.rendered_frames": ("GET", f"{FRAMES}/rendered", READERS, 401),
    "rendered.thumbnail_frames": ("GET", f"{FRAMES}/thumbnail", READERS, 401),
    # Who may only annotate is refused anything else behind the gate: integration/web/test_login_attacks.py.
    "stow.studies": ("POST", "/dicom-web/studies", READERS, 401),
    "stow.study": ("POST", STUDY, READERS, 401),
}

# Reading these shows nothing of a patient, or (storing) is noted in the ledger of custody.
SILENT = {"ohif.home", "ohif.viewer", "api.changes", "api.description", "health.metrics", "pages.upload"}
SILENT |= {"account.page", "account.change", "stow.studies", "stow.study"}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, dict[str, dict[str, str]], list[Any]]]:
    """An application that answers wherever the gate lets through, and what proves each role."""
    with door(tmp_path_factory.mktemp("gate")) as (app, book, lines):
        only_the_gate(app)
        yield app, {"nobody": {}, **keys(book)}, lines


def answer(app: Flask, method: str, path: str, headers: dict[str, str]) -> Any:
    client = app.test_client(use_cookies=False)
    return client.open(path, method=method, base_url="http://localhost", headers=headers)


def test_every_route_has_its_permission(gate: tuple[Flask, Any, Any]) -> None:
    routes = {rule.endpoint for rule in gate[0].url_map.iter_rules()}
    new, gone = sorted(routes - set(RULES)), sorted(set(RULES) - routes)
    assert not new, f"{new}: add them to a group of appliance/web/permissions.py; until then they are refused"
    assert not gone, f"{gone} are no routes: take them out of appliance/web/permissions.py"
    untested = sorted(routes ^ set(TABLE))
    assert not untested, f"{untested}: say in the table of this test who may reach them"


@pytest.mark.parametrize("endpoint", sorted(TABLE))
def test_a_role_reaches_what_it_may_and_nothing_else(gate: tuple[Flask, Any, Any], endpoint: str) -> None:
    app, proofs, _ = gate
    method, path, may, stranger = TABLE[endpoint]
    with app.test_request_context(path, method=method, base_url="http://localhost") as context:
        assert context.request.endpoint == endpoint
    for who, headers in proofs.items():
        found = answer(app, method, path, headers)
        expected = 200 if who in may else stranger if who == "nobody" else 403
        assert found.status_code == expected, (who, found.text)
        assert (found.text == "reached") == (who in may)


@pytest.mark.parametrize("endpoint", sorted(TABLE))
def test_other_methods_of_a_route_need_no_less(gate: tuple[Flask, Any, Any], endpoint: str) -> None:
    app, proofs, _ = gate
    _, path, may, _ = TABLE[endpoint]
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "POST"):
        status = answer(app, method, path, proofs["nobody"]).status_code
        assert status in ((200, 401, 405) if "nobody" in may else (401,)), method


@pytest.mark.parametrize("endpoint", sorted(set(TABLE)))
def test_a_read_of_patient_data_is_noted_with_who_did_it(gate: tuple[Flask, Any, Any], endpoint: str) -> None:
    rule = RULES[endpoint]
    assert rule.patient == ("nobody" not in TABLE[endpoint][2] and endpoint not in SILENT)


def test_who_was_turned_away_leaves_no_access_line(gate: tuple[Flask, Any, Any]) -> None:
    app, proofs, lines = gate
    lines.clear()
    answer(app, "GET", "/dicom-web/studies", {})
    answer(app, "GET", "/dicom-web/studies", proofs["token:monitor"])
    assert not lines
    answer(app, "GET", "/dicom-web/studies", proofs["viewer"])
    assert [line[2].name for line in lines] == ["victor"]


@pytest.mark.parametrize("path", ["/nowhere", "/dicom-web/nowhere", "/api/v1/x", "/.env", "/%2Fevil.example/"])
def test_a_stranger_cannot_tell_what_exists(gate: tuple[Flask, Any, Any], path: str) -> None:
    app, proofs, _ = gate
    assert answer(app, "GET", path, {}).status_code == 401
    assert answer(app, "GET", path, proofs["viewer"]).status_code in (308, 404)


def test_the_answer_to_a_stranger_says_how_to_prove_oneself(gate: tuple[Flask, Any, Any]) -> None:
    found = answer(gate[0], "GET", "/dicom-web/studies", {})
    assert found.headers["WWW-Authenticate"].startswith("Bearer ")
    assert found.headers["Content-Type"] == "application/problem+json"
    page = answer(gate[0], "GET", "/studies/1.2?lang=en", {})
    assert page.headers["Location"] == "/login?next=%2Fstudies%2F1.2%3Flang%3Den"


def test_a_wrong_token_is_not_made_good_by_a_session(gate: tuple[Flask, Any, Any]) -> None:
    app, proofs, _ = gate
    for wrong in ("Bearer x", "Basic YTpi", "Bearer", "x"):
        found = answer(app, "GET", "/", {**proofs["admin"], "Authorization": wrong})
        assert found.status_code == 401
        assert 'error="invalid_token"' in found.headers["WWW-Authenticate"]


def test_a_link_from_another_system_asks_once_more_with_the_cookie(gate: tuple[Flask, Any, Any]) -> None:
    outside = {"Sec-Fetch-Site": "cross-site"}
    found = answer(gate[0], "GET", "/studies/1.2?a=b", outside)
    assert found.status_code == 200
    assert 'content="0; url=/studies/1.2?a=b&amp;once=1"' in found.text
    assert answer(gate[0], "GET", "/studies/1.2?a=b&once=1", outside).status_code == 303


def test_a_route_that_nobody_gave_a_permission_is_refused(tmp_path: Path) -> None:
    with door(tmp_path) as (app, book, _):
        app.add_url_rule("/forgotten", "forgotten", lambda: "reached")
        proofs = keys(book)
        assert answer(app, "GET", "/forgotten", {}).status_code == 401
        assert answer(app, "GET", "/forgotten", proofs["admin"]).status_code == 403


def test_without_logins_everything_is_open(tmp_path: Path) -> None:
    with door(tmp_path, login=False) as (app, _, lines):
        only_the_gate(app)
        for endpoint, (method, path, _, _) in TABLE.items():
            expected = 403 if endpoint.startswith("account.") else 200
            assert answer(app, method, path, {}).status_code == expected, endpoint
        assert {line[2].name for line in lines} == {""}


def test_roles_grow() -> None:
    assert PERMISSIONS[Role.VIEWER] < PERMISSIONS[Role.TECHNICIAN] < PERMISSIONS[Role.ADMIN]
    assert {*PERMISSIONS[Role.ADMIN], Permission.OWN} == set(Permission)
    assert set(PERMISSIONS) == set(Role)
