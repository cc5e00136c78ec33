"""The session cookie: never readable by scripts, never sent along from other sites."""

from __future__ import annotations

from typing import Final

from flask import Request, Response

# A browser takes a cookie of the first name only over HTTPS, and only from this very host.
SECURE_NAME: Final = "__Host-appliance"
PLAIN_NAME: Final = "appliance"
NAMES: Final = (SECURE_NAME, PLAIN_NAME)


def name_of(request: Request) -> str:
    """Return the name of the session cookie on the way this request came."""
    return SECURE_NAME if request.is_secure else PLAIN_NAME


def session_of(request: Request) -> str:
    """Return the session token of a request, "" without one."""
    return request.cookies.get(name_of(request), "")


def give(request: Request, answer: Response, token: str) -> None:
    """Let the browser keep a session token until it is closed."""
    answer.set_cookie(name_of(request), token, httponly=True, samesite="Strict", path="/", secure=request.is_secure)


def take_away(request: Request, answer: Response) -> None:
    """Let the browser forget its session."""
    answer.delete_cookie(name_of(request), httponly=True, samesite="Strict", path="/", secure=request.is_secure)
