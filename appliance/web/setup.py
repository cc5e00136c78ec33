"""The first account: whoever has the set-up code from the box's own shell becomes its administrator."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request, url_for

from appliance.access.faults import Crowded, Locked, NameTaken, NotAdmitted, Unfit
from appliance.web.cookies import give
from appliance.web.forms import DIFFERENT, field, mistaken
from appliance.web.page import page
from appliance.web.services import services

REFUSALS = (NotAdmitted, Locked, Crowded, Unfit, NameTaken)


def blueprint() -> Blueprint:
    """Return the set-up page and what its form leads to."""
    setup = Blueprint("setup", __name__)
    setup.add_url_rule("/setup", "page", setup_page, methods=["GET"])
    setup.add_url_rule("/setup", "enter", set_up, methods=["POST"])
    return setup


def setup_page() -> Response:
    """Answer the page; it says how to get a code while none is due."""
    book = services().book
    if book is None:
        return _home()
    return page("setup.html", due=book.setup.is_due(), mistake=None, typed="")


def set_up() -> Response:
    """Make the account and open a session for it: 303 to the study list; 400, 401, 429, 503 with the form again."""
    book = services().book
    if book is None:
        return _home()
    code, name, password = field("code"), field("name"), field("password")
    try:
        if password != field("again"):
            raise Unfit(DIFFERENT)
        token = book.reception.set_up(code, name, password, request.remote_addr or "")
    except REFUSALS as refusal:
        return mistaken(refusal, "setup.html", due=True, typed=name)
    answer = _home()
    give(request, answer, token)
    return answer


def _home() -> Response:
    return redirect(url_for("pages.studies"), 303)  # type: ignore[return-value]
