"""Sessions and tokens: how long they last, and what proves nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from appliance.access.book import Book
from appliance.access.faults import NameTaken
from appliance.access.roles import PERMISSIONS, Role
from appliance.access.secrets import code_hash, new_code, new_session, new_token, session_hash, token_hash
from appliance.access.sessions import MOST_SESSIONS
from tests.clocks import FakeClock

GOOD = "a good sentence"


@pytest.fixture
def token(book: Book) -> str:
    """A session of an account."""
    book.accounts.add("ann", Role.VIEWER, GOOD)
    return book.reception.log_in("ann", GOOD, "192.0.2.7")


def test_a_session_ends_in_silence(book: Book, token: str, clock: FakeClock) -> None:
    clock.advance(99)
    assert book.sessions.identify(token) is not None
    clock.advance(99)
    assert book.sessions.identify(token) is not None
    clock.advance(100)
    assert book.sessions.identify(token) is None


def test_a_page_that_only_looks_for_news_keeps_no_session_alive(book: Book, token: str, clock: FakeClock) -> None:
    clock.advance(60)
    assert book.sessions.identify(token, idle=True) is not None
    clock.advance(40)
    assert book.sessions.identify(token, idle=True) is None


def test_a_session_ends_with_age_however_busy(book: Book, token: str, clock: FakeClock) -> None:
    for _ in range(19):
        clock.advance(50)
        assert book.sessions.identify(token) is not None
    clock.advance(50)
    assert book.sessions.identify(token) is None


def test_an_account_has_so_many_sessions_and_the_oldest_gives_way(book: Book, token: str, clock: FakeClock) -> None:
    others = []
    for _ in range(MOST_SESSIONS):
        clock.advance(0.5)
        others.append(book.reception.log_in("ann", GOOD, "192.0.2.7"))
    assert book.sessions.identify(token) is None
    assert all(book.sessions.identify(other) for other in others)


def test_a_token_lasts_until_it_expires_or_is_revoked(book: Book, clock: FakeClock) -> None:
    short, lasting = book.tokens.add("Short", Role.MONITOR, 60), book.tokens.add("lasting", Role.TECHNICIAN, None)
    found = book.tokens.identify(short)
    assert found is not None
    assert (found.name, found.permissions) == ("short", PERMISSIONS[Role.MONITOR])
    clock.advance(60)
    assert book.tokens.identify(short) is None
    clock.advance(10**8)
    assert book.tokens.identify(lasting) is not None
    book.tokens.revoke("LASTING")
    assert book.tokens.identify(lasting) is None


def test_a_name_is_one_tokens_at_a_time(book: Book) -> None:
    book.tokens.add("probe", Role.MONITOR, None)
    with pytest.raises(NameTaken):
        book.tokens.add("Probe", Role.ADMIN, None)
    book.tokens.revoke("probe")
    book.tokens.add("probe", Role.MONITOR, None)
    assert len(book.tokens.list()) == 2


def test_sessions_and_tokens_do_not_stand_for_each_other(book: Book, token: str) -> None:
    assert book.tokens.identify(token) is None
    assert book.sessions.identify(book.tokens.add("probe", Role.ADMIN, None)) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=80) | st.from_regex(r"(dea_)?[A-Za-z0-9_-]{43}", fullmatch=True))
@example(text="\ud800" * 43)
def test_garbage_proves_nothing(book: Book, text: str) -> None:
    assert book.sessions.identify(text) is None
    assert book.tokens.identify(text) is None


def test_what_is_made_is_recognised_and_never_twice_the_same() -> None:
    sessions, tokens = {new_session() for _ in range(50)}, {new_token() for _ in range(50)}
    assert len({session_hash(text) for text in sessions} - {None}) == 50
    assert len({token_hash(text) for text in tokens} - {None}) == 50
    assert not any(session_hash(text) for text in tokens)


@given(st.sampled_from([new_code() for _ in range(20)]), st.sampled_from([str.lower, str.upper, str.title]))
def test_a_code_is_read_however_it_is_typed(code: str, spelled: object) -> None:
    assert callable(spelled)
    assert code_hash(spelled(code.replace("-", " "))) == code_hash(code)
