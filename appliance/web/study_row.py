"""One study as the pages show it: its row of the index with what is to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.archive.search import Found
from appliance.model.attributes import Level, find_attribute
from appliance.model.matching import Match, Query
from appliance.model.uid import is_valid_uid
from appliance.web import worklist
from appliance.web.services import services
from appliance.web.worklist import Badge, Whereabouts

MOST_PRIORS = 30


def find_study(study_uid: str) -> Found | None:
    """Return a study's row; None when it is not here, or when that is no UID."""
    if not is_valid_uid(study_uid):
        return None
    return next(iter(services().archive.search.find(Query(Level.STUDY, study_uid=study_uid, limit=1))), None)


def with_badges(study: Found) -> Mapping[str, Any]:
    """Return a study's row with its badges under "badges"."""
    return {**study, "badges": _badges(study)}


def priors(study: Found) -> list[Found]:
    """Return the other studies with the same patient ID and issuer, the newest first; none without an ID."""
    attribute = find_attribute("PatientID")
    identity = str(study["PatientID"] or "")
    if attribute is None or not identity:
        return []
    # Not parse_match: an ID with an asterisk in it is no pattern here.
    query = Query(Level.STUDY, (Match(attribute, "exact", (identity,)),), limit=MOST_PRIORS + 1)
    found = services().archive.search.find(query)
    return [other for other in found if _same_patient(study, other)][:MOST_PRIORS]


def _same_patient(study: Found, other: Found) -> bool:
    issuers = {study["IssuerOfPatientID"], other["IssuerOfPatientID"]} - {None, ""}
    return other["StudyInstanceUID"] != study["StudyInstanceUID"] and len(issuers) < 2


def _badges(study: Found) -> list[Badge]:
    tools = services()
    ledger, uid = tools.archive.custody, str(study["StudyInstanceUID"])
    routes = (route.name for route in tools.archive.settings.sinks if "object" in route.kinds)
    sent = dict.fromkeys(routes, 0) | ledger.delivered(uid)
    absent = tools.archive.reading.absent(uid)
    where = Whereabouts(absent.lost, absent.evicted, ledger.contested(uid), sent, ledger.proven(uid))
    return worklist.badges(study, where, tools.clock.now(), tools.archive.settings.timezone)
