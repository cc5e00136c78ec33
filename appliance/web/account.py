"""One's own account: who one is here, and another password."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request, url_for

from appliance.access.faults import Crowded, Locked, NotAdmitted, Unfit
from appliance.dicomweb.problems import Problem
from appliance.web.answers import Refused
from appliance.web.cookies import give, session_of
from appliance.web.forms import DIFFERENT, field, mistaken
from appliance.web.page import page
from appliance.web.principal import principal
from appliance.web.services import services


def blueprint() -> Blueprint:
    """Return the account page and what its form leads to."""
    account = Blueprint("account", __name__)
    account.add_url_rule("/account", "page", account_page, methods=["GET"])
    account.add_url_rule("/account", "change", change_password, methods=["POST"])
    return account


def account_page() -> Response:
    """Answer the page of whoever asks."""
    return page("account.html", mistake=None, done="done" in request.args)


def change_password() -> Response:
    """Set another password; every other session of this account ends: 303; 400, 401, 429, 503 with the form again."""
    tools = services()
    if tools.book is None:
        raise Refused(Problem(404, "there are no accounts while web.login is open"))
    number = int(principal().identity.partition(":")[2])
    try:
        if field("password") != field("again"):
            raise Unfit(DIFFERENT)
        token = tools.book.reception.change_password(number, field("old"), field("password"), request.remote_addr or "")
    except (NotAdmitted, Locked, Crowded, Unfit) as refusal:
        return mistaken(refusal, "account.html", done=False)
    tools.gate.forget(session_of(request))
    answer: Response = redirect(url_for("account.page", done=1), 303)  # type: ignore[assignment]
    give(request, answer, token)
    return answer
