"""What is remembered of a proof: successes, for a moment, and no more of them than fit."""

from __future__ import annotations

from appliance.access.identity import ANYBODY, NOBODY, Identity
from appliance.web.authenticators import CACHE_SECONDS, Known
from tests.clocks import FakeClock


class Finder:
    """Counts how often somebody had to be looked up."""

    def __init__(self, identity: Identity | None) -> None:
        self.identity = identity
        self.count = 0

    def __call__(self) -> Identity | None:
        """Look up."""
        self.count += 1
        return self.identity


def test_a_success_is_remembered_for_a_moment(clock: FakeClock) -> None:
    known, find = Known(clock.monotonic), Finder(ANYBODY)
    for _ in range(100):
        assert known.look_up("secret", find) is ANYBODY
    assert find.count == 1
    clock.advance(CACHE_SECONDS)
    find.identity = None
    assert known.look_up("secret", find) is None


def test_a_failure_is_not_remembered(clock: FakeClock) -> None:
    known, find = Known(clock.monotonic), Finder(None)
    known.look_up("secret", find)
    find.identity = NOBODY
    assert known.look_up("secret", find) is NOBODY


def test_what_is_forgotten_is_looked_up_again(clock: FakeClock) -> None:
    known, find = Known(clock.monotonic), Finder(ANYBODY)
    known.look_up("secret", find)
    known.forget("secret")
    known.forget("other")
    known.look_up("secret", find)
    assert find.count == 2


def test_memory_is_bounded(clock: FakeClock) -> None:
    known, find = Known(clock.monotonic, most=2), Finder(ANYBODY)
    for secret in ("a", "b", "c", "a"):
        known.look_up(secret, find)
    assert find.count == 4
