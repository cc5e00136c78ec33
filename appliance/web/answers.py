"""Answers that every handler gives alike: JSON, problems, warnings, security headers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from flask import Response, request

from appliance.dicomweb.media_types import MediaType, Offer, choose, parse_accept
from appliance.dicomweb.problems import PROBLEM_JSON, Problem

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# Patient data: kept by the browser that asked at most, never by anything in between.
PRIVATE: Final = "private, no-cache"
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that, browsers send the forms of our own pages as if they came from nowhere.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Refused(Exception):
    """Ends a handler with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def compact_json(document: Any) -> bytes:
    """Return JSON in UTF-8 without spaces."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def json_answer(document: Any, status: int = 200, content_type: str = "application/json") -> Response:
    """Return a JSON answer."""
    return Response(compact_json(document), status, content_type=content_type)


def problem_answer(problem: Problem, **members: Any) -> Response:
    """Return a problem (RFC 9457), with extension members if any."""
    answer = json_answer(problem.document() | members, problem.status, PROBLEM_JSON)
    if problem.status in (503, 507):
        answer.headers["Retry-After"] = "60"
    return answer


def warn(answer: Response, warnings: Iterable[str]) -> Response:
    """Add one Warning header per text (PS3.18 8.3.4; code 299, RFC 7234 5.5.7)."""
    for text in warnings:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        answer.headers.add("Warning", f'299 dicom-edge-appliance "{quoted}"')
    return answer


def accepted() -> tuple[MediaType, ...]:
    """Return what the client wants; the query parameter `accept` goes before the header (PS3.18 8.3.3.1)."""
    return parse_accept(request.args.get("accept") or request.headers.get("Accept", ""))


def negotiated(*offers: Offer) -> Offer:
    """Return the offer the client wants most, or end with 406."""
    offer = choose(accepted(), offers)
    if offer is None:
        given = ", ".join(sorted({offer.type + (f'; type="{offer.part}"' if offer.part else "") for offer in offers}))
        raise Refused(Problem(406, f"this resource is given as {given}"))
    return offer


def secure(answer: Response) -> Response:
    """Add the headers every answer has; what a handler has set stays."""
    for name, value in SECURITY_HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers.setdefault("Cache-Control", PRIVATE)
    answer.headers.add("Vary", "Accept")
    return answer
