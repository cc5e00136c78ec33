"""Secrets this box makes: session tokens, API tokens, the set-up code. Only their SHA-256 is ever kept.

They are random and long, so that a fast hash is enough; passwords are not, and have argon2.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

TOKEN_BYTES: Final = 32
# Tells a scanner of repositories and logs what it has found.
TOKEN_PREFIX: Final = "dea_"
# Crockford's alphabet without letters that look like digits: 16 of them are 80 bits.
CODE_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LETTERS: Final = 16

_SESSION: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_TOKEN: Final = re.compile(TOKEN_PREFIX + r"[A-Za-z0-9_-]{43}")
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})


def new_session() -> str:
    """Return a session token, 256 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def new_token() -> str:
    """Return an API token, 256 random bits behind a prefix that says what it is."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def new_code() -> str:
    """Return a set-up code in four groups, to be typed by a person."""
    letters = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LETTERS))
    return "-".join(letters[at : at + 4] for at in range(0, CODE_LETTERS, 4))


def session_hash(text: str) -> str | None:
    """Return what a session is looked up by; None for a text that is no session token."""
    return digest(text) if _SESSION.fullmatch(text) else None


def token_hash(text: str) -> str | None:
    """Return what an API token is looked up by; None for a text that is none."""
    return digest(text) if _TOKEN.fullmatch(text) else None


def code_hash(text: str) -> str:
    """Return the hash of a set-up code as a person types it: case, blanks and hyphens do not matter."""
    letters = "".join(letter for letter in text[:200].upper() if letter.isalnum())
    return digest(letters.translate(_READ_AS))


def digest(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
