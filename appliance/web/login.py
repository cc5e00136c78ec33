"""Logging in and out, by plain forms: they work without JavaScript, and with every line cut."""

from __future__ import annotations

import re
from typing import Final

from flask import Blueprint, Response, redirect, request, url_for

from appliance.access.faults import Crowded, Locked, NotAdmitted
from appliance.errors import ApplianceError
from appliance.web.cookies import give, session_of, take_away
from appliance.web.forms import field, mistaken
from appliance.web.page import page
from appliance.web.services import services

# A path of ours: one slash, no backslash, nothing a browser could take for another host.
_OWN_PATH: Final = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,2000}")


def blueprint() -> Blueprint:
    """Return the login page and what its form and the logout button lead to."""
    login = Blueprint("login", __name__)
    login.add_url_rule("/login", "page", login_page, methods=["GET"])
    login.add_url_rule("/login", "enter", log_in, methods=["POST"])
    login.add_url_rule("/logout", "leave", log_out, methods=["POST"])
    return login


def destination(wanted: str) -> str:
    """Return where to go after a login: a path of this appliance, the study list for anything else."""
    return wanted if _OWN_PATH.fullmatch(wanted) else url_for("pages.studies")


def login_page() -> Response:
    """Answer the login page; 303 to the study list where there are no logins."""
    book = services().book
    if book is None:
        return _away(url_for("pages.studies"))
    wanted = request.args.get("next", "")
    return page("login.html", wanted=wanted, mistake=None, typed="", empty=not book.accounts.count())


def log_in() -> Response:
    """Open a session: 303 to where the person wanted to go; 401, 429, 503 with the form again."""
    book = services().book
    if book is None:
        return _away(url_for("pages.studies"))
    name, wanted = field("name"), field("next")
    try:
        token = book.reception.log_in(name, field("password"), request.remote_addr or "", session_of(request))
    except (NotAdmitted, Locked, Crowded) as refusal:
        return mistaken(refusal, "login.html", wanted=wanted, typed=name, empty=False)
    answer = _away(destination(wanted))
    give(request, answer, token)
    return answer


def log_out() -> Response:
    """End the session: 303 to the login page. Safe to repeat."""
    tools, token = services(), session_of(request)
    if tools.book is not None and token:
        tools.gate.forget(token)
        try:
            tools.book.reception.log_out(token, request.remote_addr or "")
        except ApplianceError:
            # Where it cannot be written down the browser forgets it all the same; say that it did not end.
            answer = page("login.html", wanted="", mistake=STILL_OPEN, typed="", empty=False)
            answer.status_code = 503
            take_away(request, answer)
            return answer
        tools.gate.forget(token)
    answer = _away(url_for("login.page"))
    take_away(request, answer)
    # What the browser kept of patients goes with the session, the page behind the back button too.
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


STILL_OPEN: Final = "This browser has forgotten you, but the session could not be ended on the appliance."


def _away(place: str) -> Response:
    return redirect(place, 303)  # type: ignore[return-value]
