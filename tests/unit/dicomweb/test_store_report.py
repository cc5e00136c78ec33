"""The answer to a store request."""

from __future__ import annotations

import pytest

from appliance.dicomweb.store_report import (
    Failure,
    FailureReason,
    Reference,
    StoreReport,
    Success,
    reason_of,
)
from appliance.errors import ApplianceError, DiskFull, Misidentified, NotAllowed, TooLarge, Unacceptable, Unparseable

GOOD = Success(Reference("1.2", "3.4"), "http://h/i")
BAD = Failure(Reference("1.2", "3.5"), FailureReason.DOES_NOT_MATCH)
FORBIDDEN = Failure(Reference("1.2", "3.7"), reason_of(NotAllowed("no")))
FULL = Failure(Reference("1.2", "3.6"), FailureReason.OUT_OF_RESOURCES)


@pytest.mark.parametrize(
    ("successes", "failures", "status"),
    [
        ((GOOD,), (), 200),
        ((), (), 200),
        ((GOOD,), (BAD,), 202),
        ((), (BAD,), 409),
        ((), (FULL,), 503),
        ((), (FULL, BAD), 409),
        ((), (FORBIDDEN, FORBIDDEN), 403),
        ((), (FORBIDDEN, BAD), 409),
        ((GOOD,), (FORBIDDEN,), 202),
    ],
)
def test_the_status_sums_up(successes: tuple[Success, ...], failures: tuple[Failure, ...], status: int) -> None:
    assert StoreReport(successes, failures).status == status


def test_every_instance_has_its_item() -> None:
    unknown = Failure(Reference(), FailureReason.CANNOT_UNDERSTAND)
    document = StoreReport((GOOD,), (BAD, unknown), "http://h/s").document()
    assert document["00081190"]["Value"] == ["http://h/s"]
    assert document["00081199"]["Value"][0]["00081155"]["Value"] == ["3.4"]
    assert document["00081199"]["Value"][0]["00081190"]["Value"] == ["http://h/i"]
    assert document["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]
    assert document["0008119A"]["Value"] == [{"00081197": {"vr": "US", "Value": [0xC000]}}]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DiskFull("x"), 0xA700),
        (TooLarge("x"), 0xA700),
        (Misidentified("x"), 0xA900),
        (Unparseable("x"), 0xC000),
        (Unacceptable("x"), 0xC000),
        (ApplianceError("x"), 0x0110),
    ],
)
def test_errors_have_the_reason_that_dimse_gives_them(error: ApplianceError, reason: int) -> None:
    assert reason_of(error) == reason
