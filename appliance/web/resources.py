"""Addresses of DICOMweb resources, as the caller's host sees them, and the UIDs in them."""

from __future__ import annotations

from collections.abc import Mapping

from flask import request

from appliance.archive.reading import StoredInstance
from appliance.dicomweb.problems import Problem
from appliance.model.records import Value
from appliance.model.uid import is_valid_uid
from appliance.web.answers import Refused

ROOT = "/dicom-web"


def base_url() -> str:
    """Return the DICOMweb root with the scheme and host the caller used, without a slash at the end.

    Some clients leave the port out of the Host header; ours is then the one they came to.
    """
    host = request.headers.get("Host", "").strip()
    if not host.rpartition("]")[2].rpartition(":")[1]:
        host = f"{host}:{request.environ['SERVER_PORT']}"
    return f"{request.scheme}://{host}{ROOT}"


def study_url(study_uid: str) -> str:
    """Return the URL of a study."""
    return f"{base_url()}/studies/{study_uid}"


def series_url(study_uid: str, series_uid: str) -> str:
    """Return the URL of a series."""
    return f"{study_url(study_uid)}/series/{series_uid}"


def instance_url(study_uid: str, series_uid: str, sop_uid: str) -> str:
    """Return the URL of an instance."""
    return f"{series_url(study_uid, series_uid)}/instances/{sop_uid}"


def url_of(instance: StoredInstance) -> str:
    """Return the URL of a stored instance."""
    return instance_url(instance.study_uid, instance.series_uid, instance.sop_uid)


def row_url(row: Mapping[str, Value]) -> str:
    """Return the URL of what a search found: as deep as the UIDs it has."""
    parts = (
        ("studies", "StudyInstanceUID"),
        ("series", "SeriesInstanceUID"),
        ("instances", "SOPInstanceUID"),
    )
    return base_url() + "".join(f"/{name}/{row[uid]}" for name, uid in parts if row.get(uid))


def check_uids(*uids: str) -> None:
    """End with 400 for a path that holds something else than UIDs."""
    if not all(map(is_valid_uid, uids)):
        raise Refused(Problem(400, "the path holds something that is no UID"))
