"""Whose fault a DICOMweb store's answer is: one table of HTTP statuses, one of failure reasons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from appliance.dicomweb.client import NotDicom, Refused, Reply
from appliance.dicomweb.faults import NoAnswer, NotReached, NotTrusted, Stopped
from appliance.dicomweb.outgoing import Damaged
from appliance.errors import ApplianceError, ConfigurationError, DeliveryError
from appliance.sync.sinks.contract import Misconfigured, Rejected, RowFault, Unreachable

Kind = type[DeliveryError]
LONGEST_WAIT = 3600.0
DUPLICATE = 0x0111

_STATUSES: tuple[tuple[Kind, str, str, tuple[int, ...]], ...] = (
    (Unreachable, "is overloaded or not ready", "wait; if it lasts, see the store's own log",
     (408, 425, 429, 500, 502, 503, 504, 507, *range(520, 528), 530)),
    (Misconfigured, "asks for a login or does not accept ours",
     "renew token_file or tls_certificate; it goes on by itself", (401,)),
    (Misconfigured, "does not let this box store", "give this box's account the right to store", (403,)),
    (Misconfigured, "has no DICOMweb service at this address", "correct the url: /studies follows it",
     (404, 405, 410, 421, 501)),
    (Misconfigured, "points to another address", "set the url to where the service really is",
     (300, 301, 302, 303, 307, 308)),
    (Misconfigured, "takes nothing of this kind", "it must accept multipart/related; type=\"application/dicom\"",
     (406, 415)),
    (Misconfigured, "is behind a proxy that asks for a login", "let the proxy pass this box", (407,)),
    (Misconfigured, "does not accept our headers", "correct headers and url; a proxy may want others",
     (411, 417, 426, 431, 494, 495, 496, 497)),
    (Rejected, "refuses the object as too large", "raise the store's limit, then replay it", (413,)),
    (Rejected, "refuses the object as not valid", "see the store's own log", (400, 422)),
)  # fmt: skip

STATUSES: Mapping[int, tuple[Kind, str, str]] = MappingProxyType(
    {status: (kind, text, hint) for kind, text, hint, statuses in _STATUSES for status in statuses}
)

# By these words a 400 tells that it is about the request, not about the objects in it.
_ABOUT_HEADERS = re.compile(
    rb"tenant|ssl certificate|content-(?:length|type)|authorization|boundary|invalid host|host header"
    rb"|(?:http|request|missing|required|invalid) header|header (?:is |field )?(?:missing|required|or cookie)"
)
SEARCHED_BYTES = 4096
# A store that fails over one object says this, and so does one that fails over all.
OWN_TROUBLE = 500

REASONS: tuple[tuple[int, int, Kind, str, str], ...] = (
    (0xA700, 0xA7FF, Unreachable, "is out of resources", "free some space there"),
    (0x0122, 0x0122, Misconfigured, "does not support the object's SOP class",
     "enable it there, or leave it out by the sink's filter and bury the delivery"),
    (0x0124, 0x0124, Misconfigured, "does not let this box store the object", "give this box's account the right"),
    (0xA900, 0xA9FF, Rejected, "finds that the object does not match its SOP class", "see the store's own log"),
    (0xC000, 0xCFFF, Rejected, "cannot understand the object", "see the store's own log"),
    (0x0105, 0x0106, Rejected, "refuses an attribute of the object", "see the store's own log"),
    (0x0117, 0x0117, Rejected, "refuses the object's UID", "see the store's own log"),
)  # fmt: skip


def of_status(reply: Reply, host: str) -> DeliveryError | None:
    """Return what a status means for everything in the request; None for a success."""
    if 200 <= reply.status < 300:
        return None
    kind, text, hint = STATUSES.get(reply.status, (DeliveryError, "answers in a way that is not known", ""))
    if reply.status == 400 and _is_about_headers(reply.text):
        kind, text, hint = STATUSES[431]
    message = f"{host} {text} ({reply.status})"
    if kind is Unreachable:
        wish = retry_after(reply.headers, datetime.now(UTC))
        return Unreachable(message, hint=hint, retry_after=wish, about_row=reply.status == OWN_TROUBLE)
    return kind(message, hint=hint)


def of_reason(reason: int, host: str) -> DeliveryError:
    """Return what a failure reason (0008,1197) means for its instance. 0111 (duplicate) is for the caller."""
    for first, last, kind, text, hint in REASONS:
        if first <= reason <= last:
            message = f"{host} {text} ({reason:04X})"
            if issubclass(kind, Unreachable | Misconfigured):
                return kind(message, hint=hint, about_row=True)
            return kind(message, hint=hint)
    return DeliveryError(f"{host} could not store the object ({reason:04X})", hint="see the store's own log")


def of_error(error: ApplianceError, host: str) -> DeliveryError:
    """Return what an error of the client means."""
    if isinstance(error, NotReached | NoAnswer | Stopped):
        return Unreachable(error.message, hint=error.hint)
    if isinstance(error, NotTrusted | ConfigurationError):
        return Misconfigured(error.message, hint=error.hint)
    if isinstance(error, Refused):
        return of_status(error.reply, host) or DeliveryError(f"{host} answers {error.reply.status} where it should not")
    if isinstance(error, NotDicom):
        return Misconfigured(f"{host} answers, but not as a DICOMweb store", hint="correct the url")
    if isinstance(error, Damaged):
        return (RowFault if error.lost else DeliveryError)(error.message, hint=error.hint)
    return DeliveryError(error.message, hint=error.hint)


def retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """Return the seconds that Retry-After asks for, an hour at most; 0 without a wish we understand."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        seconds = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _is_about_headers(text: bytes) -> bool:
    return _ABOUT_HEADERS.search(text[:SEARCHED_BYTES].lower()) is not None
