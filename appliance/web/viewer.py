"""The fallback viewer: one page, and the JSON it starts from. Pictures are drawn by the appliance, in 8 bits."""

from __future__ import annotations

from flask import Blueprint, Response

from appliance.archive.search import Found
from appliance.dicomweb.problems import Problem
from appliance.model.attributes import Level, find_attribute
from appliance.model.matching import Query
from appliance.web.answers import CONTENT_POLICY, Refused, json_answer
from appliance.web.page import page, said
from appliance.web.services import services
from appliance.web.study_row import find_study, priors
from appliance.web.undrawable import undrawable
from appliance.web.viewing import ATTRIBUTES, described, stacks

MOST_INSTANCES = 100_000
# PDF and report are frames of this page; they come from here and nowhere else.
VIEWER_POLICY = f"{CONTENT_POLICY}; frame-src 'self'; object-src 'self'"


def blueprint() -> Blueprint:
    """Return the viewer's page and its data."""
    viewer = Blueprint("viewer", __name__)
    viewer.add_url_rule("/viewer/<study_uid>", "page", viewer_page, methods=["GET"])
    viewer.add_url_rule("/api/v1/studies/<study_uid>/stacks", "stacks", study_stacks, methods=["GET"])
    return viewer


def viewer_page(study_uid: str) -> Response:
    """Answer the viewer for one study; 404 when it is not here."""
    study = find_study(study_uid)
    if study is None:
        answer = page("absent.html")
        answer.status_code = 404
        return answer
    lost = len(undrawable(study_uid, ()))
    answer = page("viewer.html", study=study, notices=said(), undrawable=lost)
    answer.headers["Content-Security-Policy"] = VIEWER_POLICY
    return answer


def study_stacks(study_uid: str) -> Response:
    """Answer a study's series as stacks, with the patient's other studies: 200; 404."""
    study = find_study(study_uid)
    if study is None:
        raise Refused(Problem(404, "nothing is stored under this UID"))
    others = [described(prior) for prior in priors(study)]
    revision = services().archive.search.revision()
    return json_answer(
        {"study": described(study), "stacks": stacks(_instances(study_uid)), "priors": others, "revision": revision}
    )


def _instances(study_uid: str) -> list[Found]:
    wanted = [attribute for attribute in map(find_attribute, ATTRIBUTES) if attribute is not None]
    query = Query(Level.INSTANCE, study_uid=study_uid, limit=MOST_INSTANCES)
    return services().archive.search.find(query, wanted)
