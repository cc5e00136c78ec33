"""One page for people: a template in the language of whoever asks. Pages work without inline code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, g, make_response, render_template, request, url_for

from appliance import __version__
from appliance.access.roles import Permission
from appliance.model.uid import is_valid_uid
from appliance.web import worklist
from appliance.web.i18n import CATALOGUES, NAMES, Translator, choose_language
from appliance.web.notices import Notice, notices
from appliance.web.services import services

LANGUAGE_COOKIE = "language"
YEAR_SECONDS = 365 * 24 * 3600


def page(template: str, **values: Any) -> Response:
    """Return a template filled in; the language is the one asked for, the one remembered, or the browser's."""
    asked = request.args.get("lang", "")
    language = choose_language(asked or request.cookies.get(LANGUAGE_COOKIE, ""), request.accept_languages)
    text = render_template(template, **_surroundings(language), **values)
    answer = make_response(text)
    answer.headers["Vary"] = "Accept-Language, Cookie"
    # Not even for the back button: the next person at this screen may not be the one who looked.
    answer.headers["Cache-Control"] = "no-store"
    if asked in CATALOGUES:
        answer.set_cookie(LANGUAGE_COOKIE, asked, max_age=YEAR_SECONDS, httponly=True, samesite="Strict")
    return answer


def said() -> list[Notice]:
    """Return what everybody in front of a page should know now: lines that are down, contents to choose from."""
    archive = services().archive
    return notices(archive.outbox.stats(), archive.numbers.counts().conflicts, archive.settings.timezone)


def ohif_here() -> bool:
    """Say whether OHIF is installed on this appliance."""
    return services().ohif is not None


def _surroundings(language: str) -> dict[str, Any]:
    """Return what every template may use."""
    zone = services().archive.settings.timezone
    moment: Callable[[int], str] = lambda microseconds: worklist.shown_moment(microseconds, zone)  # noqa: E731
    return {
        "_": Translator(language),
        "language": language,
        "languages": NAMES,
        "switch": _switch,
        "version": __version__,
        "name": worklist.shown_name,
        "date": worklist.shown_date,
        "time": worklist.shown_time,
        "moment": moment,
        "ohif": ohif_here(),
        "person": g.principal.name,
        "may": lambda permission: g.principal.may(Permission(permission)),
    }


def page_url(number: int) -> str:
    """Return the list's URL with the same search, on another page."""
    asked: dict[str, Any] = {name: request.args.get(name) or None for name in worklist.FIELDS}
    return url_for("pages.studies", **asked, page=number)


def _switch(language: str) -> str:
    """Return this page's URL in another language."""
    kept: dict[str, Any] = {name: request.args.get(name) for name in (*worklist.FIELDS, "page", "next")}
    endpoint = request.endpoint or "pages.studies"
    own = request.view_args or {}
    if not all(is_valid_uid(str(uid)) for uid in own.values()):
        return url_for("pages.studies", lang=language)  # never repeat what is no UID
    return url_for(endpoint, **own, **kept, lang=language)
