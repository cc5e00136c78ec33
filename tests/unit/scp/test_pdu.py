"""The few PDUs written by hand are what pynetdicom reads, and titles are read safely."""

from __future__ import annotations

import pytest
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ

from appliance.scp.pdu import (
    CALLED_NOT_RECOGNISED,
    CALLING_NOT_RECOGNISED,
    TEMPORARY_CONGESTION,
    ProtocolError,
    ProviderReason,
    Rejection,
    Titles,
    encode_abort,
    read_titles,
)
from tests.partners.raw_scu import associate_request


@pytest.mark.parametrize("rejection", [CALLING_NOT_RECOGNISED, CALLED_NOT_RECOGNISED, TEMPORARY_CONGESTION])
def test_a_rejection_is_read_by_pynetdicom(rejection: Rejection) -> None:
    pdu = A_ASSOCIATE_RJ()
    pdu.decode(rejection.encode())
    assert (pdu.result, pdu.source, pdu.reason_diagnostic) == (
        rejection.result,
        rejection.source,
        rejection.reason,
    )


@pytest.mark.parametrize(("by_user", "expected"), [(False, (2, 6)), (True, (0, 0))])
def test_an_abort_is_read_by_pynetdicom(by_user: bool, expected: tuple[int, int]) -> None:
    pdu = A_ABORT_RQ()
    pdu.decode(encode_abort(ProviderReason.INVALID_PARAMETER, by_user=by_user))
    assert (pdu.source, pdu.reason_diagnostic) == expected


def test_titles_are_stripped_and_printable() -> None:
    assert read_titles(associate_request("CT 1", "APPLIANCE", ())) == Titles("CT 1", "APPLIANCE")
    strange = bytearray(associate_request("X", "Y", ()))
    strange[26:42] = b"\x1b[31m\xff\n".ljust(16)
    assert read_titles(strange).calling == "?[31m??"


def test_a_request_without_its_fixed_part_is_refused() -> None:
    with pytest.raises(ProtocolError):
        read_titles(associate_request("X", "Y", ())[:73])
