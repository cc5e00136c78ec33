"""Each error of the archive has one status, and each status words a peer can show."""

from __future__ import annotations

import pytest

from appliance.errors import (
    ApplianceError,
    ArchiveFailed,
    Busy,
    DiskFull,
    Misidentified,
    TooLarge,
    Unparseable,
)
from appliance.scp.status import STORE_STATUSES, status_of


@pytest.mark.parametrize(
    ("error", "code", "fatal"),
    [
        (DiskFull("x"), 0xA700, False),
        (Busy("x"), 0xA701, False),
        (ArchiveFailed("x"), 0xA700, True),
        (Misidentified("x"), 0xA900, False),
        (Unparseable("x"), 0xC000, False),
        (TooLarge("x"), 0xC002, False),
        (ApplianceError("x"), 0x0110, False),
        (OSError(5, "x"), 0x0110, False),
        (KeyError("x"), 0x0110, False),
    ],
)
def test_the_table(error: Exception, code: int, fatal: bool) -> None:
    status = status_of(error)
    assert (status.code, status.fatal) == (code, fatal)


def test_no_failure_is_a_success_and_each_says_why() -> None:
    failures = [status for status in STORE_STATUSES if status.code]
    assert len(failures) == len(STORE_STATUSES) - 1
    assert all(0 < len(status.comment) <= 64 for status in failures)
    assert len({status.name for status in STORE_STATUSES}) == len(STORE_STATUSES)
