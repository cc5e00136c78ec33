"""The answer to a store request (PS3.18 10.5.3, annex I.2): what became of each instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from appliance.dicomweb.dicom_json import Member
from appliance.dicomweb.store_answer import DIGEST, DIGEST_CREATOR, DIGEST_CREATOR_TAG
from appliance.errors import (
    ApplianceError,
    DiskFull,
    Misidentified,
    NotAllowed,
    PeerError,
    TooLarge,
    Unacceptable,
)


class FailureReason(IntEnum):
    """Values of Failure Reason (0008,1197), as C-STORE has them (PS3.4 table B.2-1; PS3.7 annex C)."""

    PROCESSING_FAILURE = 0x0110
    NOT_AUTHORISED = 0x0124
    OUT_OF_RESOURCES = 0xA700
    DOES_NOT_MATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


# The first class that fits decides: the narrow ones stand first.
REASONS: Final[tuple[tuple[type[ApplianceError], FailureReason], ...]] = (
    (DiskFull, FailureReason.OUT_OF_RESOURCES),
    (TooLarge, FailureReason.OUT_OF_RESOURCES),
    (Misidentified, FailureReason.DOES_NOT_MATCH),
    (Unacceptable, FailureReason.CANNOT_UNDERSTAND),
    (NotAllowed, FailureReason.NOT_AUTHORISED),
    (PeerError, FailureReason.CANNOT_UNDERSTAND),
)

# What a request is answered of which nothing was stored, all for one reason; 409 for any other.
STATUSES: Final[Mapping[FailureReason, int]] = MappingProxyType(
    {FailureReason.OUT_OF_RESOURCES: 503, FailureReason.NOT_AUTHORISED: 403}
)


def reason_of(error: ApplianceError) -> FailureReason:
    """Return the failure reason that tells a sender about `error`."""
    return next((reason for kind, reason in REASONS if isinstance(error, kind)), FailureReason.PROCESSING_FAILURE)


@dataclass(frozen=True, slots=True)
class Reference:
    """One instance of the request; the UIDs are "" where the part did not tell them."""

    sop_class_uid: str = ""
    sop_uid: str = ""

    def members(self) -> dict[str, Member]:
        """Return Referenced SOP Class UID and Referenced SOP Instance UID."""
        return {"00081150": _uid(self.sop_class_uid), "00081155": _uid(self.sop_uid)}


@dataclass(frozen=True, slots=True)
class Success:
    """An instance that is durable here, where to retrieve it, and the SHA-256 of its data set as it came."""

    reference: Reference
    url: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """An instance that was not stored."""

    reference: Reference
    reason: FailureReason


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What became of all instances of one request, in their order. `study_url` is "" for several studies."""

    successes: Sequence[Success]
    failures: Sequence[Failure]
    study_url: str = ""

    @property
    def status(self) -> int:
        """200 all stored, 202 some, 409 none; 403, 503 none and only for lack of permission, of space."""
        if not self.failures:
            return 200
        if self.successes:
            return 202
        reasons = {failure.reason for failure in self.failures}
        return STATUSES.get(reasons.pop(), 409) if len(reasons) == 1 else 409

    def document(self) -> dict[str, Member]:
        """Return the store instances response as a DICOM JSON object."""
        known = [failure for failure in self.failures if failure.reference.sop_uid]
        other = [failure for failure in self.failures if not failure.reference.sop_uid]
        members: dict[str, Member] = {}
        if self.study_url:
            members["00081190"] = {"vr": "UR", "Value": [self.study_url]}
        for tag, items in (
            ("00081198", [failure.reference.members() | _reason(failure) for failure in known]),
            ("00081199", [_success(success) for success in self.successes]),
            ("0008119A", [_reason(failure) for failure in other]),
        ):
            if items:
                members[tag] = {"vr": "SQ", "Value": items}
        return members


def _uid(uid: str) -> Member:
    return {"vr": "UI", "Value": [uid]} if uid else {"vr": "UI"}


def _reason(failure: Failure) -> dict[str, Member]:
    return {"00081197": {"vr": "US", "Value": [int(failure.reason)]}}


def _success(success: Success) -> dict[str, Member]:
    members = success.reference.members() | {"00081190": {"vr": "UR", "Value": [success.url]}}
    if success.digest:
        # PS3.5 7.8.1: a private block of our own. Who does not know it passes over it.
        members[DIGEST_CREATOR_TAG] = {"vr": "LO", "Value": [DIGEST_CREATOR]}
        members[DIGEST] = {"vr": "LO", "Value": [success.digest]}
    return members
