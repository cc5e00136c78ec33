"""STOW-RS (PS3.18 10.5) of the receiver: a box's objects in, with a receipt for each before the answer."""

from __future__ import annotations

from flask import Blueprint, Response, request

from appliance.central.addresses import ROOT, study_url
from appliance.central.answers import Refused, check_uids, negotiated, problem_answer
from appliance.central.services import services, site
from appliance.dicomweb.multipart import MultipartError, MultipartReader
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.storing import AS_JSON, AS_XML, message_type, rendered


def blueprint() -> Blueprint:
    """Return the two store resources."""
    storing = Blueprint("storing", __name__, url_prefix=ROOT)
    storing.add_url_rule("/studies", "studies", store, methods=["POST"])
    storing.add_url_rule("/studies/<study_uid>", "study", store, methods=["POST"])
    return storing


def store(study_uid: str = "") -> Response:
    """Store every part: 200 all, 202 some, 409 none, 503 none for lack of space; 400 for a broken message, 415.

    What is named as stored is durable, and so is its receipt, whether it was known before or not.
    """
    check_uids(*filter(None, (study_uid,)))
    offer = negotiated(AS_JSON, AS_XML)
    media_type = message_type(request.headers.get("Content-Type", ""), request.headers.get("Content-Encoding", ""))
    if isinstance(media_type, Problem):
        raise Refused(media_type)
    taking = services().taking
    storing = taking.storing(site(), study_uid)
    broken = None
    try:
        storing.receive(MultipartReader(request.stream, media_type["boundary"]))
    except MultipartError as error:
        broken = Problem(400, error.message, error.hint)
    taking.confirm(site(), storing.stored)
    if broken is not None:
        return problem_answer(broken, stored=[success.reference.sop_uid for success in storing.successes])
    report = storing.report(study_url)
    body, content_type, headers = rendered(report, offer)
    return Response(body, report.status, headers, content_type=content_type)
