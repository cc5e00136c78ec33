"""The web room: DICOMweb, health and pages over HTTP."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from appliance.codec.faults import CodecFault
from appliance.dicomweb.problems import Problem, problem_of
from appliance.errors import ApplianceError, ArchiveFailed
from appliance.logs import get_logger
from appliance.model.uid import is_valid_uid
from appliance.web import (
    access,
    account,
    api,
    export,
    frames,
    health,
    login,
    metadata,
    ohif,
    pages,
    qido,
    rendered,
    setup,
    stow,
    viewer,
    wado,
    wado_uri,
)
from appliance.web.accelerated import emptied
from appliance.web.answers import Refused, problem_answer, secure
from appliance.web.codec_faults import codec_fault_answer
from appliance.web.inquiries import answered, is_inquiry
from appliance.web.principal import Principal
from appliance.web.resources import ROOT
from appliance.web.services import EXTENSION, Services
from appliance.web.services import services as _services

# Asked for every few seconds by machines: not worth a line each.
ROUTINE = frozenset((
    "/healthz", "/readyz", "/metrics", "/api/v1/changes", "/static/<path:filename>", "/ohif/<build>/<path:name>",
))  # fmt: skip
DICOMWEB = (qido.blueprint, wado.blueprint, frames.blueprint, rendered.blueprint, metadata.blueprint, stow.blueprint)
PAGES = (pages.blueprint, viewer.blueprint, export.blueprint)
ENTRANCE = (login.blueprint, setup.blueprint, account.blueprint)


def create_app(services: Services) -> Flask:
    """Return the WSGI application that works with `services`."""
    app = Flask(__name__, static_url_path="/static")
    app.extensions[EXTENSION] = services
    app.config["MAX_CONTENT_LENGTH"] = services.max_body_bytes
    app.url_map.strict_slashes = False
    for blueprint in DICOMWEB:
        app.register_blueprint(blueprint(), url_prefix=ROOT)
    for blueprint in (health.blueprint, api.blueprint, wado_uri.blueprint, ohif.blueprint, *PAGES, *ENTRANCE):
        app.register_blueprint(blueprint())
    app.before_request(_admit)
    app.after_request(_finish)
    app.register_error_handler(Refused, lambda error: problem_answer(error.problem))
    app.register_error_handler(CodecFault, codec_fault_answer)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(ApplianceError, _appliance_problem)
    app.register_error_handler(Exception, _unexpected)
    return app


def _admit() -> Response | None:
    """Refuse what may not come in; give everyone else a principal. To nginx, which only asks, say which."""
    g.started = time.monotonic()
    refusal = _judge()
    if is_inquiry(request):
        g.admitted = False
        return answered(request, refusal, _services())
    return refusal


def _judge() -> Response | None:
    tools: Services = _services()
    problem = access.check(request.method, request.headers, tools.allowed_hosts, request.scheme)
    if problem is not None:
        return problem_answer(problem)
    admitted = tools.gate.admit(request)
    if not isinstance(admitted, Principal):
        return admitted
    g.principal, g.admitted = admitted, True
    return None


def _finish(answer: Response) -> Response:
    if is_inquiry(request):  # the request itself follows, or was never passed on; the log of nginx has it
        return secure(answer)
    route = request.url_rule.rule if request.url_rule is not None else "none"
    seconds = time.monotonic() - g.get("started", time.monotonic())
    _services().metrics.note(route, request.method, answer.status_code, seconds)
    # The route and its UIDs, never the query: that is where patient data would be.
    get_logger(__name__).log(
        logging.DEBUG if route in ROUTINE or request.args.get("live") else logging.INFO,
        "request",
        method=request.method,
        route=route,
        status=answer.status_code,
        seconds=round(seconds, 4),
        address=request.remote_addr,
        **{name: str(value) for name, value in (request.view_args or {}).items() if is_valid_uid(str(value))},
    )
    if g.get("admitted"):
        _services().views.note(request, answer.status_code)
        _services().access_lines.note(request, answer, g.principal, g.started)
    return emptied(secure(answer))


def _http_problem(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None or status < 400:
        return Response(error.get_response().response, status, dict(error.get_headers()))
    answer = problem_answer(Problem(status))
    for name, value in error.get_headers():
        if name.lower() == "allow":
            answer.headers[name] = value
    return answer


def _appliance_problem(error: ApplianceError) -> Response:
    problem = problem_of(error)
    if isinstance(error, ArchiveFailed):
        get_logger(__name__).error("the archive failed; this process ends", reason=error.message)
        _services().archive_failed()
    elif problem.status >= 500:
        get_logger(__name__).warning("request failed", reason=error.message)
    return problem_answer(problem)


def _unexpected(error: Exception) -> Response:
    # The exception's text may hold patient data: only its kind and place are logged.
    get_logger(__name__).error("request failed unexpectedly", kind=type(error).__name__, place=_place(error))
    return problem_answer(Problem(500, "the appliance failed to answer this request; its log says where"))


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
