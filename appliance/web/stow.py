"""STOW-RS (PS3.18 10.5) of the web room: who may store what, and the answer."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from appliance.dicomweb.multipart import MultipartError, MultipartReader
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.storing import AS_JSON, AS_XML, Storing, message_type, rendered, trace_of
from appliance.model.records import Door, Origin
from appliance.web.annotations import check_of
from appliance.web.answers import Refused, negotiated, problem_answer
from appliance.web.principal import Principal
from appliance.web.resources import check_uids, instance_url, study_url
from appliance.web.services import services


def blueprint() -> Blueprint:
    """Return the two store resources."""
    stow = Blueprint("stow", __name__)
    stow.add_url_rule("/studies", "studies", store, methods=["POST"])
    stow.add_url_rule("/studies/<study_uid>", "study", store, methods=["POST"])
    return stow


def store(study_uid: str = "") -> Response:
    """Store every part: 200 all, 202 some, 409 none; 400 for a broken message, 403 without permission, 415 as ever.

    What is reported as stored is durable. Parts before the place where a message breaks stay stored.
    """
    check_uids(*filter(None, (study_uid,)))
    offer = negotiated(AS_JSON, AS_XML)
    storing = _storing(study_uid)
    media_type = message_type(request.headers.get("Content-Type", ""), request.headers.get("Content-Encoding", ""))
    if isinstance(media_type, Problem):
        raise Refused(media_type)
    try:
        storing.receive(MultipartReader(request.stream, media_type["boundary"]))
    except MultipartError as error:
        problem = Problem(400, error.message, error.hint)
        return problem_answer(problem, stored=[success.reference.sop_uid for success in storing.successes])
    report = storing.report(study_url)
    body, content_type, headers = rendered(report, offer)
    # PS3.18 has no word for it: what became of each kind, for people who upload the same files twice.
    headers["Stored-As"] = ", ".join(f"{result}={count}" for result, count in storing.results.items())
    return Response(body, report.status, headers, content_type=content_type)


def _storing(study_uid: str) -> Storing:
    principal: Principal = g.principal
    trace = trace_of(request.headers.get("traceparent", ""))
    origin = Origin(Door.STOW, principal.name, address=request.remote_addr or "", traceparent=trace)
    return Storing(services().archive.ingest, origin, instance_url, check_of(principal), study_uid)
