"""The one table from faults of the codec to HTTP statuses."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from flask import Response

from appliance.codec.faults import CodecFault, Kind
from appliance.dicomweb.problems import Problem
from appliance.web.answers import problem_answer

STATUSES: Final[Mapping[Kind, HTTPStatus]] = MappingProxyType({
    Kind.REFUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.ABSENT: HTTPStatus.NOT_FOUND,
    Kind.TIMED_OUT: HTTPStatus.GATEWAY_TIMEOUT,
    Kind.CRASHED: HTTPStatus.BAD_GATEWAY,
    Kind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Kind.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
})  # fmt: skip
# A decoder is free again soon; a minute, as after a full disk, would be long for who waits for a picture.
BUSY_SECONDS: Final = "2"


def codec_problem(fault: CodecFault) -> Problem:
    """Return the problem that tells a client about a fault."""
    return Problem(int(STATUSES[fault.kind]), fault.message, fault.hint)


def codec_fault_answer(fault: CodecFault) -> Response:
    """Answer a fault."""
    answer = problem_answer(codec_problem(fault))
    if fault.kind is Kind.BUSY:
        answer.headers["Retry-After"] = BUSY_SECONDS
    return answer
