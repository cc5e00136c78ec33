"""Ways to prove who one is. Each is a row of a table; handlers only ever see the principal that comes out.

A further way (OpenID Connect, bearer tokens that somebody else has signed) is a further class of this shape
and a further row in the room's main; no handler and no permission changes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from appliance.access.identity import ANYBODY, Identity
from appliance.access.secrets import digest
from appliance.access.sessions import Sessions
from appliance.access.tokens import Tokens

BEARER: Final = "bearer"
# A viewer asks for hundreds of frames a second; a revoked session or token may go on for this long.
CACHE_SECONDS: Final = 2.0
MOST_CACHED: Final = 1000


@dataclass(frozen=True, slots=True)
class Proof:
    """What a request brings along to say who sends it.

    `authorization` is the header of that name, `session` the value of the session cookie, `certificate` what the
    client has shown to nginx (PEM, escaped), and `verify` nginx's verdict on it; "" where absent.
    `idle` is true of a request that no person has caused: an open page that looks for news.
    """

    authorization: str = ""
    session: str = ""
    idle: bool = False
    verify: str = ""
    certificate: str = ""


class BadProof(Exception):
    """Something was brought along that proves nothing. No other way is tried then."""


class Authenticator(Protocol):
    """One way to prove who one is."""

    def identify(self, proof: Proof) -> Identity | None:
        """Return who it is, None when nothing of this kind was brought along. Raises BadProof."""


class OpenDoor:
    """No logins: everybody who reaches the port. Only ever used on a loopback address."""

    def identify(self, proof: Proof) -> Identity | None:
        """Return the same identity for everybody."""
        return ANYBODY


class BearerToken:
    """An API token of this box in the Authorization header."""

    def __init__(self, tokens: Tokens, known: Known) -> None:
        """Take the tokens, and where what was found is remembered for a moment."""
        self._tokens = tokens
        self._known = known

    def identify(self, proof: Proof) -> Identity | None:
        """Return the token's holder. Raises BadProof for any other Authorization header."""
        if not proof.authorization:
            return None
        scheme, _, token = proof.authorization.partition(" ")
        if scheme.lower() != BEARER:
            raise BadProof
        token = token.strip()
        identity = self._known.look_up(token, lambda: self._tokens.identify(token))
        if identity is None:
            raise BadProof
        return identity


class SessionCookie:
    """The session that a login has opened."""

    def __init__(self, sessions: Sessions, known: Known) -> None:
        """Take the sessions, and where what was found is remembered for a moment."""
        self._sessions = sessions
        self._known = known

    def identify(self, proof: Proof) -> Identity | None:
        """Return whose session it is; None for one that is over, because the login page is the answer to that."""
        if not proof.session:
            return None
        if proof.idle:
            return self._sessions.identify(proof.session, idle=True)
        return self._known.look_up(proof.session, lambda: self._sessions.identify(proof.session))


class Known:
    """Who was found lately, by the hash of what proved it; only successes. Safe to share between threads."""

    def __init__(self, monotonic: Callable[[], float], seconds: float = CACHE_SECONDS, most: int = MOST_CACHED) -> None:
        """Take a clock, for how long an identity is good without another look, and how many are kept."""
        self._monotonic = monotonic
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._found: OrderedDict[str, tuple[float, Identity]] = OrderedDict()

    def look_up(self, secret: str, find: Callable[[], Identity | None]) -> Identity | None:
        """Return what is remembered of a secret, else what `find` finds."""
        key, now = digest(secret), self._monotonic()
        with self._lock:
            until, identity = self._found.get(key, (0.0, ANYBODY))
        if until > now:
            return identity
        found = find()
        with self._lock:
            if found is None:
                self._found.pop(key, None)
            else:
                self._found[key] = now + self._seconds, found
                self._found.move_to_end(key)
                while len(self._found) > self._most:
                    self._found.popitem(last=False)
        return found

    def forget(self, secret: str) -> None:
        """Look again the next time."""
        with self._lock:
            self._found.pop(digest(secret), None)
