"""What retention is told: how much a box may keep, and for how long. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Limits of the archive. None: no such limit. Without any limit nothing is ever evicted.

    `max_bytes`: most bytes of objects held. `min_free_bytes`: free space that is kept on the disk.
    `max_age_days`: days after the last arrival or view of a study at which its bytes may go anyway.
    `keep_days`: what arrived later than this is never evicted.
    """

    max_bytes: int | None = None
    min_free_bytes: int | None = None
    max_age_days: float | None = None
    keep_days: float = 1.0

    @property
    def active(self) -> bool:
        """Whether anything may be evicted at all."""
        return not (self.max_bytes is None and self.min_free_bytes is None and self.max_age_days is None)
