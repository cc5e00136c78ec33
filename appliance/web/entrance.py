"""The entrance: which ways to prove who one is this room takes, as its settings say."""

from __future__ import annotations

from pathlib import Path

from appliance.access.book import Book
from appliance.access.sessions import Lifetimes
from appliance.archive.settings import ArchiveSettings
from appliance.clock import Clock
from appliance.logs import get_logger
from appliance.web.authenticators import Authenticator, BearerToken, Known, OpenDoor, SessionCookie
from appliance.web.client_certificates import ClientCertificate, Holders
from appliance.web.gate import Gate


def open_book(home: Path, lifetimes: Lifetimes, clock: Clock) -> Book:
    """Open the accounts of a home, and say in the log when there are none yet."""
    book = Book(home, clock, lifetimes)
    if not book.accounts.count():
        get_logger(__name__).warning("nobody can log in yet", hint="run: appliance user setup-code")
    return book


def entrance(settings: ArchiveSettings, book: Book | None, clock: Clock, holders: Holders | None = None) -> Gate:
    """Return the gate: by token, session or certificate, or open to everybody where there is no book."""
    known = Known(clock.monotonic)
    ways: tuple[Authenticator, ...] = (OpenDoor(),)
    if book is not None:
        ways = (BearerToken(book.tokens, known), SessionCookie(book.sessions, known))
    if book is not None and holders is not None:
        # What it remembers is kept apart: a certificate is no secret, and must never be taken for a token.
        ways = (*ways, ClientCertificate(holders, Known(clock.monotonic)))
    return Gate(settings, ways, known.forget)
