"""Where an object's file lies. Pure: nothing from the network is ever used as a path unchecked."""

from __future__ import annotations

from pathlib import PurePosixPath

from appliance.model.uid import is_valid_uid

SUFFIX = ".dcm"
DAMAGED = ".damaged"


def instance_path(tenant: str, study_uid: str, series_uid: str, sop_uid: str, *, tail: str = "") -> str:
    """Return the path below the archive root, with `tail` telling versions of one UID apart.

    Raises ValueError for anything that is not a UID (PS3.5 9.1): digits and dots only, so no
    separator, no "..", at most 64 characters.
    """
    for uid in (study_uid, series_uid, sop_uid):
        if not is_valid_uid(uid):
            raise ValueError("not a UID")
    name = f"{sop_uid}~{tail}{SUFFIX}" if tail else f"{sop_uid}{SUFFIX}"
    return str(PurePosixPath(tenant, study_uid, series_uid, name))
