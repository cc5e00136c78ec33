"""Addresses of what the receiver holds, as the sender's host sees them."""

from __future__ import annotations

from flask import request

ROOT = "/dicom-web"


def study_url(study_uid: str) -> str:
    """Return the URL of a study."""
    return f"{request.scheme}://{request.headers.get('Host', '').strip()}{ROOT}/studies/{study_uid}"


def instance_url(study_uid: str, series_uid: str, sop_uid: str) -> str:
    """Return the URL of an instance."""
    return f"{study_url(study_uid)}/series/{series_uid}/instances/{sop_uid}"
