"""The allow-list as a table of callers and answers."""

from __future__ import annotations

import pytest

from appliance.scp.access import AllowList, Peer, accepts_unknown, bare_address
from appliance.scp.pdu import CALLED_NOT_RECOGNISED, CALLING_NOT_RECOGNISED, Rejection, Titles

PEERS = (
    Peer("ANYWHERE"),
    Peer("CT1", "192.168.1.10", assumed_charset="gbk"),
    Peer("CT1", "10.0.0.0/8"),
    Peer("SIX", "2001:db8::/32"),
)


@pytest.mark.parametrize(
    ("calling", "address", "accept_unknown", "rejection"),
    [
        ("ANYWHERE", "203.0.113.9", False, None),
        ("CT1", "192.168.1.10", False, None),
        ("CT1", "10.200.3.4", False, None),
        ("CT1", "::ffff:10.200.3.4", False, None),
        ("CT1", "192.168.1.11", False, CALLING_NOT_RECOGNISED),
        ("CT1", "192.168.1.11", True, CALLING_NOT_RECOGNISED),
        ("SIX", "2001:db8::7", False, None),
        ("SIX", "192.168.1.11", False, CALLING_NOT_RECOGNISED),
        ("STRANGER", "192.168.1.10", False, CALLING_NOT_RECOGNISED),
        ("STRANGER", "192.168.1.10", True, None),
        ("ct1", "192.168.1.10", False, CALLING_NOT_RECOGNISED),
    ],
)
def test_callers(calling: str, address: str, accept_unknown: bool, rejection: Rejection | None) -> None:
    admission = AllowList("APPLIANCE", PEERS, accept_unknown).decide(Titles(calling, "OTHER"), address)
    assert admission.rejection == rejection
    assert (admission.peer is None) == (rejection is not None)
    assert bool(admission.reason) == (rejection is not None)


def test_the_entry_that_matches_the_address_gives_its_settings() -> None:
    allow_list = AllowList("APPLIANCE", PEERS, accept_unknown=False)
    first = allow_list.decide(Titles("CT1", "APPLIANCE"), "192.168.1.10").peer
    second = allow_list.decide(Titles("CT1", "APPLIANCE"), "10.0.0.1").peer
    assert first is not None and first.assumed_charset == "gbk"
    assert second is not None and second.assumed_charset == ""


def test_a_stranger_brings_its_own_title_and_no_settings() -> None:
    admission = AllowList("APPLIANCE", (), accept_unknown=True).decide(Titles("NEW", "X"), "127.0.0.1")
    assert admission.peer == Peer("NEW")


def test_the_called_title_matters_when_it_is_required() -> None:
    allow_list = AllowList("APPLIANCE", (), accept_unknown=True, require_called_ae=True)
    assert allow_list.decide(Titles("A", "APPLIANCE"), "127.0.0.1").rejection is None
    assert allow_list.decide(Titles("A", "OTHER"), "127.0.0.1").rejection == CALLED_NOT_RECOGNISED


@pytest.mark.parametrize(
    ("setting", "host", "expected"),
    [
        (None, "127.0.0.1", True),
        (None, "127.1.2.3", True),
        (None, "::1", True),
        (None, "localhost", True),
        (None, "0.0.0.0", False),
        (None, "::", False),
        (None, "192.168.1.5", False),
        (None, "appliance.clinic", False),
        (True, "0.0.0.0", True),
        (False, "127.0.0.1", False),
    ],
)
def test_strangers_are_welcome_on_loopback_only_unless_configured(
    setting: bool | None, host: str, expected: bool
) -> None:
    assert accepts_unknown(setting, host) is expected


@pytest.mark.parametrize(
    ("address", "bare"),
    [("127.0.0.1", "127.0.0.1"), ("::ffff:127.0.0.1", "127.0.0.1"), ("fe80::1%eth0", "fe80::1")],
)
def test_addresses_are_compared_bare(address: str, bare: str) -> None:
    assert bare_address(address) == bare
