"""The pages for people: the study list and one page per study. They work without JavaScript."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for

from appliance import __version__
from appliance.archive.search import Found
from appliance.model.attributes import Level
from appliance.model.matching import Query
from appliance.model.uid import is_valid_uid
from appliance.web import worklist
from appliance.web.i18n import CATALOGUES, NAMES, Translator, choose_language
from appliance.web.notices import notices
from appliance.web.resources import ROOT
from appliance.web.services import services
from appliance.web.worklist import Badge

LANGUAGE_COOKIE = "language"
YEAR_SECONDS = 365 * 24 * 3600
MOST_SERIES = 5000


def blueprint() -> Blueprint:
    """Return the pages."""
    pages = Blueprint("pages", __name__)
    pages.add_url_rule("/", "studies", study_list, methods=["GET"])
    pages.add_url_rule("/studies/<study_uid>", "study", study_page, methods=["GET"])
    return pages


def study_list() -> Response:
    """Answer the study list: one page of what the form asks for, the newest study first."""
    form = worklist.read_form(request.args)
    index = services().archive.search
    try:
        query = worklist.form_query(form)
    except worklist.BadEntry as mistake:
        return _page("studies.html", form=form, rows=[], total=0, pages=0, mistake=mistake)
    total = index.count(query)
    rows = [_row(study) for study in index.find(query)]
    pages = math.ceil(total / worklist.PAGE_ROWS)
    return _page(
        "studies.html",
        form=form,
        rows=rows,
        total=total,
        pages=pages,
        mistake=None,
        revision=index.revision(),
        notices=notices(services().archive.outbox.stats()),
    )


def study_page(study_uid: str) -> Response:
    """Answer one study with its series; 404 when it is not here."""
    index = services().archive.search
    within = Query(Level.SERIES, study_uid=study_uid, limit=MOST_SERIES)
    studies = index.find(Query(Level.STUDY, study_uid=study_uid)) if is_valid_uid(study_uid) else []
    if not studies:
        answer = _page("absent.html")
        answer.status_code = 404
        return answer
    return _page("study.html", study=_row(studies[0]), series=index.find(within), root=ROOT)


def _row(study: Found) -> Mapping[str, Any]:
    return {**study, "badges": _badges(study)}


def _badges(study: Found) -> list[Badge]:
    tools = services()
    ledger, uid = tools.archive.custody, str(study["StudyInstanceUID"])
    sent, not_held = ledger.delivered(uid), ledger.not_held(uid)
    routes = (route.name for route in tools.archive.settings.sinks if "object" in route.kinds)
    everywhere = dict.fromkeys(routes, 0) | sent
    return worklist.badges(study, not_held, everywhere, tools.clock.now(), tools.archive.settings.timezone)


def _page(template: str, **values: Any) -> Response:
    asked = request.args.get("lang", "")
    language = choose_language(asked or request.cookies.get(LANGUAGE_COOKIE, ""), request.accept_languages)
    zone = services().archive.settings.timezone
    text = render_template(
        template,
        _=Translator(language),
        language=language,
        languages=NAMES,
        switch=_switch,
        version=__version__,
        name=worklist.shown_name,
        date=worklist.shown_date,
        time=worklist.shown_time,
        moment=lambda microseconds: worklist.shown_moment(microseconds, zone),
        page_url=_page_url,
        **values,
    )
    answer = make_response(text)
    answer.headers["Vary"] = "Accept-Language, Cookie"
    if asked in CATALOGUES:
        answer.set_cookie(LANGUAGE_COOKIE, asked, max_age=YEAR_SECONDS, httponly=True, samesite="Strict")
    return answer


def _page_url(page: int) -> str:
    """Return the list's URL with the same search, on another page."""
    asked: dict[str, Any] = {name: request.args.get(name) or None for name in worklist.FIELDS}
    return url_for("pages.studies", **asked, page=page)


def _switch(language: str) -> str:
    """Return this page's URL in another language."""
    kept: dict[str, Any] = {name: request.args.get(name) for name in (*worklist.FIELDS, "page")}
    endpoint = request.endpoint or "pages.studies"
    own = request.view_args or {}
    if not all(is_valid_uid(str(uid)) for uid in own.values()):
        return url_for("pages.studies", lang=language)  # never repeat what is no UID
    return url_for(endpoint, **own, **kept, lang=language)
