"""The JSON API for our own pages, under /api/v1."""

from __future__ import annotations

from flask import Blueprint, Response, request

from appliance.dicomweb.problems import Problem
from appliance.web.answers import Refused, json_answer
from appliance.web.openapi import description
from appliance.web.services import services

MOST_CHANGES = 200


def blueprint() -> Blueprint:
    """Return the API."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    api.add_url_rule("/changes", "changes", changes, methods=["GET"])
    api.add_url_rule("/openapi.json", "description", openapi_document, methods=["GET"])
    return api


def openapi_document() -> Response:
    """Answer the OpenAPI description of DICOMweb and of this API."""
    return json_answer(description())


def changes() -> Response:
    """Answer the studies that changed after revision `after`, and the revision to ask with next time.

    Without `after` it answers only the present revision. Pages poll this: a thread per open page
    would be too dear.
    """
    index = services().archive.search
    text = request.args.get("after", "")
    if not text:
        return json_answer({"revision": index.revision(), "studies": []})
    if not text.isdecimal() or len(text) > 18:
        raise Refused(Problem(400, "after must be a whole number"))
    studies = index.changes(int(text), MOST_CHANGES)
    revision = studies[-1]["revision"] if studies else max(int(text), 0)
    return json_answer({"revision": revision, "studies": studies})
