"""The receiver as an application: who may come in, what every answer has, what an error becomes."""

from __future__ import annotations

import logging
import time
import uuid

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from appliance.archive.accesses import Access
from appliance.central import health, receipts_door, retrieving, storing, uploads
from appliance.central.answers import Refused, problem_answer
from appliance.central.doors import claim_of
from appliance.central.identity import Reason, Unidentified, identify
from appliance.central.registry import Site
from appliance.central.services import EXTENSION, Services
from appliance.central.services import services as _services
from appliance.central.uploads import UploadDoor
from appliance.dicomweb.problems import Problem, problem_of
from appliance.errors import ApplianceError, ArchiveFailed
from appliance.http.access_log import peer_text
from appliance.logs import get_logger
from appliance.model.uid import is_valid_uid

TENANT = "X-Tenant"
MICROSECONDS = 1_000_000
# Whose requests show or change patient data: an access record each.
RECORDED = frozenset({"storing", "retrieving", "uploads"})
ROUTINE = frozenset({"/healthz", "/readyz", "/metrics", "/edge/v1/receipts"})
HEALTH = "health"

log = get_logger(__name__)


def create_app(services: Services, door: UploadDoor, max_body_bytes: int) -> Flask:
    """Return the WSGI application that works with `services`, and takes uploads through `door`."""
    app = Flask(__name__, static_folder=None)
    app.extensions[EXTENSION] = services
    app.extensions[uploads.EXTENSION] = door
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.url_map.strict_slashes = False
    for room in (health, storing, retrieving, receipts_door, uploads):
        app.register_blueprint(room.blueprint())
    app.before_request(_admit)
    app.after_request(_finish)
    app.register_error_handler(Refused, lambda error: problem_answer(error.problem))
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(ApplianceError, _appliance_problem)
    app.register_error_handler(Exception, _unexpected)
    return app


def _admit() -> Response | None:
    """Refuse whoever is no site; the tenant is the registry's, whatever a header says."""
    g.started = time.monotonic()
    if request.blueprint == HEALTH:
        return None
    try:
        found = identify(claim_of(request.environ), _services().registry)
    except Unidentified as refusal:
        return _refuse(refusal.reason, refusal.site)
    if request.headers.get(TENANT, found.tenant) != found.tenant:
        return _refuse(Reason.TENANT, found.name)
    g.site = found
    return None


def _refuse(reason: Reason, site: str) -> Response:
    _services().refusals.note(reason, site, request.remote_addr or "")
    return problem_answer(Problem(reason.status, reason.detail, "see docs/central.md"))


def _finish(answer: Response) -> Response:
    route = request.url_rule.rule if request.url_rule is not None else "none"
    seconds = time.monotonic() - g.get("started", time.monotonic())
    _services().metrics.note(route, request.method, answer.status_code, seconds)
    site: Site | None = g.get("site")
    log.log(
        logging.DEBUG if route in ROUTINE else logging.INFO,
        "request",
        method=request.method,
        route=route,
        status=answer.status_code,
        seconds=round(seconds, 4),
        site=site.name if site else "",
        address=request.remote_addr,
        **{name: str(value) for name, value in (request.view_args or {}).items() if is_valid_uid(str(value))},
    )
    # 204 is a piece of an upload, one of hundreds: its beginning and its end are the accesses.
    if site is not None and request.blueprint in RECORDED and answer.status_code != 204:
        _services().accesses.add(_line(site, answer, seconds))
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    return answer


def _line(site: Site, answer: Response, seconds: float) -> Access:
    return Access(
        at=_services().clock.now() - round(seconds * MICROSECONDS),
        request_id=str(uuid.uuid4()),
        method=request.method,
        path=request.path,
        peer=peer_text(request.remote_addr or "", request.environ.get("REMOTE_PORT", "0")),
        headers={name: value for name, value in request.headers.items() if not name.startswith("X-Client-")},
        user=site.name,
        user_id=f"site:{site.name}",
        status=answer.status_code,
        length=answer.headers.get("Content-Length") or "unknown",
        milliseconds=round(seconds * 1000),
        tenant=site.tenant,
    )


def _http_problem(error: HTTPException) -> Response:
    answer = problem_answer(Problem(error.code or 500))
    for name, value in error.get_headers():
        if name.lower() == "allow":
            answer.headers[name] = value
    return answer


def _appliance_problem(error: ApplianceError) -> Response:
    problem = problem_of(error)
    if isinstance(error, ArchiveFailed):
        log.error("the archive failed; this process ends", reason=error.message)
        _services().archive_failed()
    elif problem.status >= 500:
        log.warning("request failed", reason=error.message)
    return problem_answer(problem)


def _unexpected(error: Exception) -> Response:
    # The exception's text may hold patient data: only its kind and place are logged.
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    log.error("request failed unexpectedly", kind=type(error).__name__, place=place)
    return problem_answer(Problem(500, "the receiver failed to answer this request; its log says where"))
