"""Inquiries: nginx asks whether a request may go on before it takes the request's body.

It sends the request without the body, on its socket, with a word of its own (X-Edge-Body: asked) that no client can
send. What is judged is the request itself: its route, name, origin and proof, and the room for the body.
"""

from __future__ import annotations

import json
from typing import Final

from flask import Request, Response

from appliance.archive.reserve import Disk
from appliance.dicomweb.problems import Problem
from appliance.http.proxies import said
from appliance.web.answers import problem_answer
from appliance.web.services import Services

ASKED: Final = "asked"
# nginx's auth_request lets a request go on by 2xx, and ends it by 401 and 403 alone; the true status stands beside.
GO_ON, STRANGER, REFUSED = 204, 401, 403
STATUS: Final = "X-Edge-Status"
PROBLEM: Final = "X-Edge-Problem"


def is_inquiry(request: Request) -> bool:
    """Say whether nginx asks about a request, instead of passing it on."""
    return said(request.environ).body == ASKED


def answered(request: Request, refusal: Response | None, tools: Services) -> Response:
    """Answer nginx: 204, or 401 and 403 with the status and the problem that the sender is to have.

    `refusal` is what the door has against the request, None for nothing.
    """
    if refusal is None:
        refusal = _routed(request) or no_room(_length(request), tools.max_body_bytes, tools.archive.numbers.disk())
    if refusal is None:
        return Response(status=GO_ON)
    answer = Response(status=STRANGER if refusal.status_code == STRANGER else REFUSED)
    answer.headers[STATUS] = str(refusal.status_code)
    answer.headers[PROBLEM] = _in_one_line(refusal)
    if "WWW-Authenticate" in refusal.headers:
        answer.headers["WWW-Authenticate"] = refusal.headers["WWW-Authenticate"]
    return answer


def no_room(length: int, most: int, disk: Disk) -> Response | None:
    """Return the answer to a body that will not be taken, None for one that may come: 413, 507. Sizes are bytes."""
    if length > most:
        return problem_answer(Problem(413, "the body is larger than web.max_body_bytes"))
    if disk.free_bytes - length < disk.reserve_bytes:
        return problem_answer(Problem(507, "there is no room for this body"))
    return None


def _routed(request: Request) -> Response | None:
    """Return the answer where there is no such resource, or not for this method: its body is wanted by nobody."""
    fault = request.routing_exception
    return problem_answer(Problem(fault.code or 404)) if fault is not None else None


def _length(request: Request) -> int:
    """Return the length that was announced, 0 where the body comes in chunks."""
    text = said(request.environ).length
    return int(text) if text.isascii() and text.isdecimal() else 0


def _in_one_line(answer: Response) -> str:
    """Return a problem as JSON that fits into a header: escaped to ASCII, without line ends."""
    found = answer.get_json(silent=True, force=True)
    return json.dumps(found if isinstance(found, dict) else {"status": answer.status_code})
