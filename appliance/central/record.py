"""A record as it came from a topic, before anybody believes it."""

from __future__ import annotations

from dataclasses import dataclass

Slot = tuple[str, int]
"""A topic's partition: topic and number."""

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One message of a topic; `value` is None for a tombstone."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def slot(self) -> Slot:
        """Where it came from."""
        return self.topic, self.partition

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return len(self.value or b"")

    def header(self, name: str) -> bytes | None:
        """Return a header's value, None where there is none. Raises ValueError where there are several."""
        found = [value for key, value in self.headers if key == name]
        if len(found) > 1:
            raise ValueError(name)
        return found[0] if found else None
