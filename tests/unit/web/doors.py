"""The web room's application without a server: every handler replaced, so that only the gate answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from argon2 import PasswordHasher
from flask import Flask, Response
from prometheus_client import CollectorRegistry

from appliance.access.book import Book
from appliance.access.passwords import Passwords
from appliance.access.roles import OF_TOKENS, PERSONAL
from appliance.archive.settings import ArchiveSettings
from appliance.clock import SystemClock
from appliance.web import create_app
from appliance.web.entrance import entrance
from appliance.web.metrics import RequestMetrics
from appliance.web.services import Services

PASSWORD = "a good sentence"
ADDRESS = "192.0.2.7"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@contextmanager
def door(home: Path, *, login: bool = True) -> Iterator[tuple[Flask, Book, list[Any]]]:
    """An application that answers "reached" wherever the gate lets through, its book, and the access lines."""
    lines: list[Any] = []
    settings = ArchiveSettings(home)
    with Book(home, passwords=Passwords(CHEAP)) as book:
        archive = SimpleNamespace(settings=settings)
        named: dict[str, Any] = {
            "archive": archive,
            "allowed_hosts": frozenset({"localhost"}),
            "max_body_bytes": 1 << 20,
            "metrics": RequestMetrics(CollectorRegistry()),
            "gate": entrance(settings, book if login else None, SystemClock()),
            "book": book if login else None,
            "access_lines": SimpleNamespace(note=lambda *parts: lines.append(parts)),
            "views": SimpleNamespace(note=lambda *_: None),
            "ohif": None,
        }
        services = cast(Services, SimpleNamespace(**named))
        app = create_app(services)
        yield app, book, lines


def only_the_gate(app: Flask) -> None:
    """Let every handler answer "reached"."""
    for endpoint in app.view_functions:
        app.view_functions[endpoint] = lambda **_: Response("reached")


def keys(book: Book) -> dict[str, dict[str, str]]:
    """Return headers that prove each role: by a session, and "token:ROLE" by a token."""
    found = {}
    for role in OF_TOKENS:
        token = book.tokens.add(f"{role.value}-token", role, None)
        found[f"token:{role.value}"] = {"Authorization": f"Bearer {token}"}
    for role in PERSONAL:
        name = {"viewer": "victor", "technician": "tess", "admin": "alice"}[role.value]
        book.accounts.add(name, role, PASSWORD)
        session = book.reception.log_in(name, PASSWORD, ADDRESS)
        found[role.value] = {"Cookie": f"appliance={session}"}
    return found
