"""Answers that every handler of the receiver gives alike: problems, and what was negotiated."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, request

from appliance.dicomweb.media_types import Offer, choose, parse_accept
from appliance.dicomweb.problems import PROBLEM_JSON, Problem
from appliance.model.uid import is_valid_uid

RETRY_SECONDS = "60"


class Refused(Exception):
    """Ends a handler with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def json_answer(document: Any, status: int = 200, content_type: str = "application/json") -> Response:
    """Return a JSON answer."""
    text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
    return Response(text, status, content_type=content_type)


def problem_answer(problem: Problem, **members: Any) -> Response:
    """Return a problem (RFC 9457), with extension members if any."""
    answer = json_answer(problem.document() | members, problem.status, PROBLEM_JSON)
    if problem.status in (503, 507):
        answer.headers["Retry-After"] = RETRY_SECONDS
    if problem.status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="dicom-edge-central"'
    return answer


def negotiated(*offers: Offer) -> Offer:
    """Return the offer the client wants most, or end with 406."""
    offer = choose(parse_accept(request.headers.get("Accept", "")), offers)
    if offer is None:
        raise Refused(Problem(406, f"this resource is given as {', '.join(sorted({one.type for one in offers}))}"))
    return offer


def check_uids(*uids: str) -> None:
    """End with 400 for a path that holds something else than UIDs."""
    if not all(map(is_valid_uid, uids)):
        raise Refused(Problem(400, "the path holds something that is no UID"))
