"""The poller: which pages are believed, when it asks, what it says of trouble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.archive.confirmations import Applied, Cursor, Proven
from appliance.dicomweb.faults import NotReached, Stopped
from appliance.errors import ApplianceError, ConfigurationError
from appliance.model.receipts import Page, SignedReceipt, parse_page
from appliance.signatures import Verifier, verifier
from appliance.sync.receipts import LONGEST_SECONDS, Forged, Identity, Line, Poller, verified
from tests.clocks import FakeClock
from tests.partners.receipts import Receipts, signed

OURS = Identity("site-1", "default")


def public(key: Ed25519PrivateKey) -> Verifier:
    return verifier(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@dataclass
class Desk:
    """A source and a ledger in memory."""

    book: Receipts = field(default_factory=Receipts)
    fault: ApplianceError | None = None
    at: Cursor = field(default_factory=Cursor)
    taken: list[Proven] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    closed: int = 0
    moved: bool = False

    def page(self, after: int, limit: int) -> Page:
        if self.fault is not None:
            raise self.fault
        return parse_page(self.book.page(f"/?after={after}&limit={limit}")[1])

    def close(self) -> None:
        self.closed += 1

    def cursor(self, sink: str) -> Cursor:
        return self.at

    def apply(self, sink: str, receipts: Sequence[Proven], *, before: int, after: int) -> Applied | None:
        assert before == self.at.after
        self.taken += receipts
        self.at = Cursor(after, 0, "")
        return Applied(len(receipts), 0)

    def start_over(self, sink: str, reason: str, *, before: int) -> bool:
        if before != self.at.after:
            return False
        self.trouble(sink, reason)
        self.at = Cursor(0, 1, reason)
        return True

    def trouble(self, sink: str, reason: str) -> None:
        self.troubles.append(reason)
        self.at = Cursor(self.at.after, 1, reason)


def poller(desk: Desk, **changes: Any) -> Poller:
    held = changes.get("held", False)
    keys = changes.get("keys", [public(desk.book.key)])
    return Poller("s", desk, desk, OURS, lambda: keys, Line(lambda: 0, lambda: held), FakeClock(), 30.0)


def test_a_page_is_taken_and_the_cursor_follows_the_signed_numbers() -> None:
    desk = Desk()
    desk.book.first = 41
    desk.book.add()
    desk.book.add()
    assert poller(desk).step() == 30.0
    assert ([one.receipt.id for one in desk.taken], desk.at.after) == ([41, 42], 42)


def test_what_is_not_signed_does_not_move_the_cursor() -> None:
    """`next` of a page is not signed: with it somebody could make a box pass by what the centre confirms."""
    desk = Desk()
    desk.book.page = lambda target: (200, b'{"receipts":[],"next":999,"more":true,"newest":999}')  # type: ignore[method-assign]
    assert poller(desk).step() == 30.0
    assert desk.at.after == 0


@pytest.mark.parametrize(
    "changes",
    [{"site": "site-2"}, {"tenant": "other"}, {"id": 1}, {"v": 2}, {"digest": "x"}, {"level": "evicted"}],
)
def test_one_bad_receipt_spoils_its_page(changes: dict[str, Any]) -> None:
    desk = Desk()
    desk.book.add()
    desk.book.add(**changes)
    found = poller(desk)
    assert found.step() == 60.0
    assert (desk.taken, desk.at.after, desk.at.word, desk.closed) == ([], 0, "refused", 1)


def test_a_text_changed_after_signing_is_forged() -> None:
    book = Receipts()
    book.add()
    entry = book.entries[0]
    changed = SignedReceipt(entry["receipt"].replace('"id":1', '"id":2'), entry["signature"])
    keys = [public(book.key)]
    assert verified(Page((SignedReceipt(**_signed(entry)),), 1, False, 1), 0, OURS, keys)
    with pytest.raises(Forged, match="signature"):
        verified(Page((changed,), 2, False, 2), 0, OURS, keys)


def _signed(entry: dict[str, str]) -> dict[str, str]:
    return {"text": entry["receipt"], "signature": entry["signature"]}


def test_any_of_several_keys_will_do_and_none_is_not_enough() -> None:
    desk, new = Desk(), Ed25519PrivateKey.generate()
    desk.book.add()
    desk.book.entries.append(signed(new, desk.book.text(2)))
    assert poller(desk, keys=[]).step() == 60.0
    assert poller(desk).step() == 60.0
    assert poller(desk, keys=[public(new), public(desk.book.key)]).step() == 30.0
    assert len(desk.taken) == 2


def test_an_old_page_played_again_is_out_of_order() -> None:
    desk = Desk()
    desk.book.add()
    desk.at, desk.book.newest = Cursor(5), 5
    old = desk.book.page("/?after=0&limit=5")[1]
    desk.book.page = lambda target: (200, old)  # type: ignore[method-assign]
    poller(desk).step()
    assert (desk.at.word, desk.at.after) == ("refused", 5)


def test_a_receiver_that_went_back_is_asked_from_the_first_receipt_on() -> None:
    desk = Desk()
    for _ in range(3):
        desk.book.add()
    desk.at = Cursor(7)
    found = poller(desk)
    assert (found.step(), desk.at.after, desk.taken) == (30.0, 0, [])
    assert desk.troubles == ["the receiver has gone back from receipt 7 to 3; all are fetched again"]
    assert (found.step(), desk.at) == (30.0, Cursor(3))
    assert [one.receipt.id for one in desk.taken] == [1, 2, 3] and len(desk.troubles) == 1


def test_a_receiver_that_lost_all_is_said_once_and_goes_on() -> None:
    desk = Desk(at=Cursor(7))
    found = poller(desk)
    assert [found.step() for _ in range(3)] == [30.0] * 3
    assert [reason != "" for reason in desk.troubles] == [True, False, False] and desk.at.after == 0


def test_a_forger_is_asked_ever_more_rarely_and_believed_again_when_right() -> None:
    desk = Desk()
    desk.book.add(site="site-2")
    found = poller(desk)
    rests = [found.step() for _ in range(8)]
    assert rests[:3] == [60.0, 120.0, 240.0]
    assert rests[-1] == LONGEST_SECONDS
    assert len(desk.troubles) == 1, "written once, not at every round"
    desk.book.entries.clear()
    desk.book.add()
    assert (found.step(), desk.at.word) == (30.0, "taken")


def test_more_is_fetched_at_once() -> None:
    desk = Desk()
    for _ in range(501):
        desk.book.add()
    found = poller(desk)
    assert (found.step(), found.step(), desk.at.after) == (0.0, 30.0, 501)


def test_trouble_on_the_line_is_noted_once() -> None:
    desk = Desk(fault=NotReached("the centre cannot be reached"))
    found = poller(desk)
    assert [found.step() for _ in range(3)] == [30.0] * 3
    assert desk.troubles == ["the centre cannot be reached"]
    desk.fault = None
    found.step()
    assert desk.troubles[-1] == ""


def test_a_key_file_that_cannot_be_read_is_trouble_and_not_a_way_in() -> None:
    desk = Desk()
    desk.book.add()

    def keys() -> Sequence[Verifier]:
        raise ConfigurationError("the key cannot be read")

    found = Poller("s", desk, desk, OURS, keys, Line(lambda: 0, lambda: False), FakeClock(), 30.0)
    found.step()
    assert (desk.taken, desk.troubles) == ([], ["the key cannot be read"])


def test_a_held_sink_is_not_asked_and_a_stop_is_no_trouble() -> None:
    desk = Desk()
    assert poller(desk, held=True).step() == 30.0
    desk.fault = Stopped()
    poller(desk).step()
    assert (desk.book.asked, desk.troubles) == ([], [])


def test_that_there_is_nothing_new_is_not_written_down_every_time() -> None:
    desk = Desk()
    clock = FakeClock()
    found = Poller("s", desk, desk, OURS, list, Line(lambda: 0, lambda: False), clock, 30.0)
    desk.at = Cursor(0, clock.now(), "")
    found.step()
    assert desk.troubles == []
    clock.advance(61)
    found.step()
    assert desk.troubles == [""]
