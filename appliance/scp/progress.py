"""The least a sender must do to keep its association while a message is under way."""

from __future__ import annotations

# Slower than any line a modality has ever been attached to.
MINIMUM_BYTES_PER_SECOND = 64


class Progress:
    """Judges one association by whole windows of `window` seconds; only a trickle fails."""

    def __init__(self, window: float, now: float) -> None:
        self._window = window
        self._since = now
        self._bytes = 0

    def too_slow(self, busy: bool, received: int, now: float) -> bool:
        """Whether the window that ends `now` (monotonic seconds) brought next to nothing.

        Call it after every read; outside a message nothing is expected and nothing is judged.
        """
        if not busy:
            self._since, self._bytes = now, 0
            return False
        self._bytes += received
        elapsed = now - self._since
        if elapsed < self._window:
            return False
        slow = self._bytes < elapsed * MINIMUM_BYTES_PER_SECOND
        self._since, self._bytes = now, 0
        return slow
