"""The table of whose fault it is, row by row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from appliance.dicomweb.client import NotDicom, Reply, refused
from appliance.dicomweb.faults import NoAnswer, NotReached, NotTrusted
from appliance.dicomweb.outgoing import Damaged
from appliance.errors import ApplianceError, ConfigurationError, DeliveryError
from appliance.sync.sinks.contract import Misconfigured, Rejected, RowFault, Unreachable
from appliance.sync.sinks.stow_faults import LONGEST_WAIT, STATUSES, of_error, of_reason, of_status, retry_after

HOST = "centre:8042"
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        (Unreachable, (408, 425, 429, 500, 502, 503, 504, 507)),
        (Misconfigured, (301, 302, 307, 308, 401, 403, 404, 405, 407, 415, 431)),
        (Rejected, (400, 413, 422)),
        (DeliveryError, (402, 409, 418, 505)),
    ],
)
def test_a_status_is_somebodys_fault(kind: type[DeliveryError], statuses: tuple[int, ...]) -> None:
    for status in statuses:
        fault = of_status(Reply(status, "text/plain"), HOST)
        assert type(fault) is kind, status
        assert HOST in str(fault)
        assert str(status) in str(fault)


def test_every_status_that_pauses_has_a_sentence_and_a_mend() -> None:
    for status, (kind, text, hint) in STATUSES.items():
        assert text, status
        assert kind is not Misconfigured or hint, status


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_success_is_no_fault(status: int) -> None:
    assert of_status(Reply(status, ""), HOST) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"missing header x-tenant", Misconfigured),
        (b"<html>No required SSL certificate was sent</html>", Misconfigured),
        (b"Request Header Or Cookie Too Large", Misconfigured),
        (b"Invalid Host header", Misconfigured),
        (b'{"Message":"Bad file format","HttpStatus":400}', Rejected),
        (b"the DICOM header of the object cannot be parsed", Rejected),
        (b"", Rejected),
    ],
)
def test_a_bad_request_tells_headers_from_objects(text: bytes, kind: type[DeliveryError]) -> None:
    fault = of_status(Reply(400, "text/plain", text=text), HOST)
    assert type(fault) is kind
    assert not text or text.decode() not in str(fault)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (0xA700, Unreachable), (0xA7FF, Unreachable), (0x0122, Misconfigured), (0x0124, Misconfigured),
        (0xA900, Rejected), (0xA9FF, Rejected), (0xC000, Rejected), (0xCFFF, Rejected), (0x0117, Rejected),
        (0x0110, DeliveryError), (0xB000, DeliveryError), (0, DeliveryError), (10**9, DeliveryError),
    ],
)  # fmt: skip
def test_a_failure_reason_is_somebodys_fault(reason: int, kind: type[DeliveryError]) -> None:
    assert type(of_reason(reason, HOST)) is kind


def test_what_may_be_the_objects_own_trouble_says_so() -> None:
    about = [status for status in STATUSES if getattr(of_status(Reply(status, ""), HOST), "about_row", False)]
    assert about == [500]
    for reason in (0xA700, 0x0122, 0x0124):
        fault = of_reason(reason, HOST)
        assert isinstance(fault, Unreachable | Misconfigured)
        assert fault.about_row


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotReached("x"), Unreachable), (NoAnswer("x"), Unreachable), (NotTrusted("x"), Misconfigured),
        (ConfigurationError("x"), Misconfigured), (NotDicom("x"), Misconfigured),
        (Damaged("x"), RowFault), (Damaged("x", lost=False), DeliveryError), (ApplianceError("x"), DeliveryError),
        (refused(Reply(413, "")), Rejected), (refused(Reply(204, "")), DeliveryError),
    ],
)  # fmt: skip
def test_an_error_of_the_client_is_somebodys_fault(error: ApplianceError, kind: type[DeliveryError]) -> None:
    assert type(of_error(error, HOST)) is kind


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0), (" 7 ", 7.0), ("99999999999999999999", LONGEST_WAIT), ("", 0.0), ("soon", 0.0), ("-5", 0.0),
        ("Sun, 22 Nov 2026 12:01:30 GMT", 90.0), ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0), ("nan", 0.0),
        ("Mon, 23 Nov 2026 12:00:00 GMT", LONGEST_WAIT), ("1.5", 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_understood(text: str, seconds: float) -> None:
    assert retry_after({"Retry-After": text}, NOW) == seconds


def test_retry_after_goes_with_the_obstacle() -> None:
    fault = of_status(Reply(429, "", {"Retry-After": "12"}), HOST)
    assert isinstance(fault, Unreachable)
    assert fault.retry_after == 12.0
