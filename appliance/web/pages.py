"""The pages for people: the study list and one page per study. They work without JavaScript."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from appliance.archive.search import Found
from appliance.model.attributes import Level
from appliance.model.matching import Query
from appliance.web import worklist
from appliance.web.kinds import DOCUMENTS, Kind, kind_of
from appliance.web.page import page, page_url, said
from appliance.web.resources import ROOT
from appliance.web.services import services
from appliance.web.study_row import find_study, priors, with_badges
from appliance.web.undrawable import undrawable

MOST_SERIES = 5000
MOST_DOCUMENTS = 200
# A study page names its documents; one with more instances than this leaves that to the viewer.
LOOKED_THROUGH = 20_000


def blueprint() -> Blueprint:
    """Return the pages."""
    pages = Blueprint("pages", __name__)
    pages.add_url_rule("/", "studies", study_list, methods=["GET"])
    pages.add_url_rule("/studies/<study_uid>", "study", study_page, methods=["GET"])
    pages.add_url_rule("/upload", "upload", upload_page, methods=["GET"])
    return pages


def study_list() -> Response:
    """Answer the study list: one page of what the form asks for, the newest study first."""
    form = worklist.read_form(request.args)
    index = services().archive.search
    shown: dict[str, Any] = {"form": form, "page_url": page_url, "notices": said()}
    try:
        query = worklist.form_query(form)
    except worklist.BadEntry as mistake:
        return page("studies.html", rows=[], total=0, pages=0, mistake=mistake, **shown)
    total = index.count(query)
    rows = [with_badges(study) for study in index.find(query)]
    pages = math.ceil(total / worklist.PAGE_ROWS)
    return page("studies.html", rows=rows, total=total, pages=pages, mistake=None, **shown)


def study_page(study_uid: str) -> Response:
    """Answer one study with its series; 404 when it is not here."""
    study = find_study(study_uid)
    if study is None:
        answer = page("absent.html")
        answer.status_code = 404
        return answer
    instances = _instances(study_uid)
    return page(
        "study.html",
        study=with_badges(study),
        series=_series(study_uid, instances),
        documents=[one for one in instances if kind_of(one) in DOCUMENTS][:MOST_DOCUMENTS],
        kind_of=kind_of,
        priors=priors(study),
        undrawable=undrawable(study_uid, instances),
        notices=said(),
        root=ROOT,
    )


def upload_page() -> Response:
    """Answer the page that stores files by STOW-RS."""
    return page("upload.html", notices=said())


def _instances(study_uid: str) -> list[Found]:
    return services().archive.search.find(Query(Level.INSTANCE, study_uid=study_uid, limit=LOOKED_THROUGH))


def _series(study_uid: str, instances: list[Found]) -> list[Mapping[str, Any]]:
    """Return a study's series; "pictures" says whether there is something to make a thumbnail of."""
    tools = services()
    found = tools.archive.search.find(Query(Level.SERIES, study_uid=study_uid, limit=MOST_SERIES))
    drawn = {one["SeriesInstanceUID"] for one in instances if kind_of(one) is Kind.IMAGE}
    now = tools.clock.now()
    return [
        {
            **row,
            "pictures": row["SeriesInstanceUID"] in drawn,
            "receiving": worklist.receiving(int(row["updated_at"] or 0), now),
        }
        for row in found
    ]
