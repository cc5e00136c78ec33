"""What a child says no with: sentences about the object's form, never its contents."""

from __future__ import annotations

from appliance.codec.faults import Kind


class Refusal(Exception):
    """The task cannot be done with this object; `reason` is a plain sentence without patient data."""

    kind = Kind.REFUSED

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoSuchFrame(Refusal):
    """The object has fewer frames, or none."""

    kind = Kind.ABSENT


class TooMuch(Refusal):
    """The result would be longer than it may be."""

    kind = Kind.TOO_LARGE
