"""Small forms that people send, and the page that says what was wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from flask import Response, request

from appliance.access.faults import (
    ACCOUNT_TAKEN,
    CLOSED,
    WRONG_CODE,
    WRONG_LOGIN,
    WRONG_PASSWORD,
    Crowded,
    Locked,
    NameTaken,
    NotAdmitted,
    Unfit,
)
from appliance.access.names import RULES
from appliance.errors import ApplianceError
from appliance.web.page import page

FORM_BYTES: Final = 16 << 10
STATUSES: Final[Mapping[type[ApplianceError], int]] = MappingProxyType(
    {NotAdmitted: 401, Locked: 429, Crowded: 503, Unfit: 400, NameTaken: 400}
)
WORDS: Final[Mapping[type[ApplianceError], str]] = MappingProxyType({
    Locked: "Too many attempts failed. The next one counts in {seconds} seconds.",
    Crowded: "Too many people log in at this moment. Try again.",
})  # fmt: skip

DIFFERENT: Final = "the two passwords are not the same"
REFUSALS: Final = (*RULES, WRONG_LOGIN, WRONG_CODE, WRONG_PASSWORD, CLOSED, ACCOUNT_TAKEN, DIFFERENT)


def field(name: str) -> str:
    """Return a field of the form, "" when it is absent; ends with 413 for a body that is no small form."""
    request.max_content_length = FORM_BYTES
    return request.form.get(name, "")


def mistaken(refusal: ApplianceError, template: str, **values: Any) -> Response:
    """Answer the form again, with what was wrong: 400, 401, 429, 503."""
    text = WORDS.get(type(refusal)) or sentence(refusal.message)
    seconds = refusal.seconds if isinstance(refusal, Locked) else 0
    answer = page(template, mistake=text, seconds=seconds, **values)
    answer.status_code = STATUSES[type(refusal)]
    if seconds or isinstance(refusal, Crowded):
        answer.headers["Retry-After"] = str(seconds or 1)
    return answer


def sentence(text: str) -> str:
    """Return what access says as a sentence of a page; the catalogues have it in this form."""
    return f"{text[:1].upper()}{text[1:]}."
