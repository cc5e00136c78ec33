"""Logging in and out: who gets a session, who waits, and what nobody can tell from a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.access.attempts import PATIENCE
from appliance.access.book import FILE, Book
from appliance.access.faults import Crowded, Locked, NameTaken, NotAdmitted, Unfit
from appliance.access.roles import PERMISSIONS, Permission, Role
from appliance.errors import NotFound
from tests.clocks import FakeClock

GOOD, OTHER, ADDRESS = "a good sentence", "another sentence", "192.0.2.7"


def enter(book: Book, name: str = "ann", password: str = GOOD, address: str = ADDRESS) -> str:
    return book.reception.log_in(name, password, address)


@pytest.fixture
def ann(book: Book) -> Book:
    """A book with one viewer."""
    book.accounts.add("Ann", Role.VIEWER, GOOD)
    return book


def facts(book: Book) -> list[tuple[str, str]]:
    return [(line["fact"], line["name"]) for line in book.audit(100)]


def test_a_login_opens_a_session_with_the_permissions_of_the_role(ann: Book) -> None:
    identity = ann.sessions.identify(enter(ann, " ANN "))
    assert identity is not None
    assert (identity.name, identity.permissions) == ("ann", PERMISSIONS[Role.VIEWER] | {Permission.OWN})
    assert facts(ann)[0] == ("login", "ann")


def test_a_refusal_does_not_tell_who_has_an_account(ann: Book) -> None:
    ann.accounts.add("bob", Role.ADMIN, GOOD)
    ann.accounts.disable("bob")
    told = set()
    for name in ("ann", "bob", "nobody", "", "x" * 5000, "\x00", "no/name"):
        with pytest.raises(NotAdmitted) as refused:
            enter(ann, name, "wrong sentence", address=f"192.0.2.{len(name) % 200}")
        told.add(refused.value.message)
    assert len(told) == 1


def test_every_refusal_costs_one_hash(ann: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []
    passwords = ann.reception._passwords
    verify = passwords.verify

    def noted(encoded: str | None, given: str) -> bool:
        asked.append(encoded)
        return verify(encoded, given)

    monkeypatch.setattr(passwords, "verify", noted)
    for name in ("ann", "nobody"):
        with pytest.raises(NotAdmitted):
            enter(ann, name, "wrong sentence")
    assert [encoded is None for encoded in asked] == [False, True]


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_failures_make_the_next_attempt_wait_longer_and_longer(ann: Book, clock: FakeClock, name: str) -> None:
    waits = []
    for number in range(20):
        address = f"192.0.2.{number}"
        try:
            enter(ann, name, "wrong sentence", address)
        except NotAdmitted:
            continue
        except Locked as locked:
            waits.append(locked.seconds)
            clock.advance(locked.seconds)
    assert waits == sorted(waits)
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) <= PATIENCE["name"].longest


def test_an_address_that_guesses_at_many_names_waits(ann: Book) -> None:
    with pytest.raises(Locked):
        for number in range(PATIENCE["address"].free + 2):
            with pytest.raises(NotAdmitted):
                enter(ann, f"name{number}", "wrong sentence")
    enter(ann, address="192.0.2.8")


def test_an_address_of_ipv6_is_the_network_it_is_in(ann: Book) -> None:
    with pytest.raises(Locked):
        for number in range(PATIENCE["address"].free + 2):
            with pytest.raises(NotAdmitted):
                enter(ann, f"name{number}", "wrong sentence", address=f"2001:db8::{number:x}")
    with pytest.raises(Locked):
        enter(ann, address="2001:db8::ffff:ffff:ffff")
    enter(ann, address="2001:db8:0:1::1")


def test_the_right_password_opens_after_the_wait_and_forgets_it(ann: Book, clock: FakeClock) -> None:
    for _ in range(PATIENCE["name"].free + 1):
        with pytest.raises(NotAdmitted):
            enter(ann, password="wrong sentence")
    with pytest.raises(Locked):
        enter(ann)
    clock.advance(1)
    enter(ann)
    for _ in range(3):
        with pytest.raises(NotAdmitted):
            enter(ann, password="wrong sentence")
    enter(ann)


def test_a_login_of_ones_own_does_not_wash_an_address_clean(ann: Book, clock: FakeClock) -> None:
    with pytest.raises(Locked):
        for number in range(3 * PATIENCE["address"].free):
            with pytest.raises(NotAdmitted):
                enter(ann, f"name{number}", "wrong sentence")
            enter(ann)


def test_a_clock_set_back_keeps_nobody_out(ann: Book, clock: FakeClock) -> None:
    for _ in range(PATIENCE["name"].free + 1):
        with pytest.raises(NotAdmitted):
            enter(ann, password="wrong sentence")
    clock.advance(-24 * 3600)
    enter(ann)


def test_what_was_not_looked_at_counts_as_no_failure(ann: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    def crowded(encoded: str | None, given: str) -> bool:
        raise Crowded

    with monkeypatch.context() as patched:
        patched.setattr(ann.reception._passwords, "verify", crowded)
        for _ in range(50):
            with pytest.raises(Crowded):
                enter(ann)
    enter(ann)


def test_a_name_nobody_has_is_not_written_down(ann: Book, tmp_path: Path) -> None:
    with pytest.raises(NotAdmitted):
        enter(ann, "my-secret-password", "wrong sentence")
    assert facts(ann)[0] == ("failure", "")
    ann.close()
    assert b"my-secret-password" not in (tmp_path / FILE).read_bytes()


def test_no_secret_stands_in_the_database(ann: Book, tmp_path: Path) -> None:
    session, token, code = enter(ann), ann.tokens.add("probe", Role.MONITOR, None), ann.setup.make()
    ann.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith(FILE))
    for secret in (session, token, token.removeprefix("dea_"), code, code.replace("-", ""), GOOD):
        assert secret.encode() not in kept


def test_a_login_replaces_the_session_that_was_there(ann: Book) -> None:
    first = enter(ann)
    second = ann.reception.log_in("ann", GOOD, ADDRESS, replaced=first)
    assert second != first
    assert ann.sessions.identify(first) is None
    assert ann.sessions.identify(second) is not None


def test_a_logout_ends_the_session_and_may_be_repeated(ann: Book) -> None:
    token = enter(ann)
    ann.reception.log_out(token, ADDRESS)
    ann.reception.log_out(token, ADDRESS)
    ann.reception.log_out("garbage", ADDRESS)
    assert ann.sessions.identify(token) is None
    assert facts(ann).count(("logout", "ann")) == 1


def test_disabling_ends_sessions_and_keeps_out_until_enabled(ann: Book) -> None:
    token = enter(ann)
    ann.accounts.disable("Ann")
    assert ann.sessions.identify(token) is None
    with pytest.raises(NotAdmitted):
        enter(ann)
    ann.accounts.enable("ann")
    assert ann.sessions.identify(token) is None
    enter(ann)


def test_a_reset_ends_sessions_and_the_wait(ann: Book) -> None:
    token = enter(ann)
    for _ in range(PATIENCE["name"].free + 1):
        with pytest.raises(NotAdmitted):
            enter(ann, password="wrong sentence")
    ann.accounts.reset("ann", OTHER)
    assert ann.sessions.identify(token) is None
    enter(ann, password=OTHER)
    with pytest.raises(NotAdmitted):
        enter(ann)


def test_ones_own_password_needs_the_present_one_and_ends_other_sessions(ann: Book) -> None:
    elsewhere, number = enter(ann), 1
    with pytest.raises(NotAdmitted):
        ann.reception.change_password(number, "wrong sentence", OTHER, ADDRESS)
    with pytest.raises(Unfit):
        ann.reception.change_password(number, GOOD, "short", ADDRESS)
    token = ann.reception.change_password(number, GOOD, OTHER, ADDRESS)
    assert ann.sessions.identify(elsewhere) is None
    assert ann.sessions.identify(token) is not None
    enter(ann, password=OTHER)


def test_a_reset_is_not_undone_by_a_change_that_was_on_its_way(ann: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = ann.reception._passwords
    verify = passwords.verify

    def reset_meanwhile(encoded: str | None, given: str) -> bool:
        right = verify(encoded, given)
        ann.accounts.reset("ann", OTHER)
        return right

    with monkeypatch.context() as patched:
        patched.setattr(passwords, "verify", reset_meanwhile)
        with pytest.raises(NotAdmitted):
            ann.reception.change_password(1, GOOD, "a third sentence", ADDRESS)
    enter(ann, password=OTHER)


def test_another_role_ends_the_sessions_of_the_one_before(ann: Book) -> None:
    token = enter(ann)
    ann.accounts.set_role("Ann", Role.VIEWER)
    assert ann.sessions.identify(token) is not None
    ann.accounts.set_role("Ann", Role.TECHNICIAN)
    assert ann.sessions.identify(token) is None
    identity = ann.sessions.identify(enter(ann))
    assert identity is not None
    assert Permission.STORE in identity.permissions
    assert ("role set", "ann") in facts(ann)
    with pytest.raises(NotFound):
        ann.accounts.set_role("nobody", Role.ADMIN)


def test_the_set_up_code_makes_one_administrator(book: Book) -> None:
    assert not book.setup.is_due()
    code = book.setup.make()
    typed = f" {code.lower().replace('-', ' ').replace('0', 'o')} "
    token = book.reception.set_up(typed, "Root", GOOD, ADDRESS)
    identity = book.sessions.identify(token)
    assert identity is not None
    assert Permission.ADMIN in identity.permissions
    with pytest.raises(NotAdmitted):
        book.reception.set_up(code, "again", GOOD, ADDRESS)
    assert not book.setup.is_due()


def test_a_set_up_code_ends_by_itself_and_by_the_next_one(book: Book, clock: FakeClock) -> None:
    first = book.setup.make()
    second = book.setup.make()
    with pytest.raises(NotAdmitted):
        book.reception.set_up(first, "root", GOOD, ADDRESS)
    clock.advance(24 * 3600 + 1)
    assert not book.setup.is_due()
    with pytest.raises(NotAdmitted):
        book.reception.set_up(second, "root", GOOD, ADDRESS)


def test_a_mistake_in_the_form_does_not_spend_the_code(book: Book) -> None:
    code = book.setup.make()
    book.accounts.add("taken", Role.VIEWER, GOOD)
    for name, password, fault in (("root", "short", Unfit), ("a/b", GOOD, Unfit), ("taken", GOOD, NameTaken)):
        with pytest.raises(fault):
            book.reception.set_up(code, name, password, ADDRESS)
    book.reception.set_up(code, "root", GOOD, ADDRESS)


def test_guessing_at_the_code_makes_the_guesser_wait_and_nobody_else(book: Book) -> None:
    code = book.setup.make()
    with pytest.raises(Locked):
        for _ in range(20):
            with pytest.raises(NotAdmitted):
                book.reception.set_up("0000-0000-0000-0000", "root", GOOD, ADDRESS)
    book.reception.set_up(code, "root", GOOD, "192.0.2.8")


def test_names_that_are_not_there_are_told_to_the_operator(book: Book) -> None:
    for verb in (book.accounts.enable, book.accounts.disable, lambda name: book.accounts.reset(name, GOOD)):
        with pytest.raises(NotFound):
            verb("nobody")
    with pytest.raises(NotFound):
        book.tokens.revoke("nothing")


def test_the_log_of_the_database_stays_short(ann: Book, tmp_path: Path, clock: FakeClock) -> None:
    for _ in range(300):
        enter(ann)
        clock.advance(0.001)
    assert (tmp_path / f"{FILE}-wal").stat().st_size < 4 << 20
