"""How decoding fails: six kinds, told apart by what the caller can do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from appliance.errors import ApplianceError


class Kind(StrEnum):
    """What became of a task that gave no result.

    REFUSED: no decoder can, now or later. ABSENT: the object has no such frame. TIMED_OUT: the deadline
    passed and the child was killed. CRASHED: the child died or spoke nonsense. TOO_LARGE: it needed more
    memory, or gave more bytes, than it may. BUSY: too many wait already; the only kind worth repeating soon.
    """

    REFUSED = "refused"
    ABSENT = "absent"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    TOO_LARGE = "too_large"
    BUSY = "busy"


# Kinds that say something of the object itself, so that it is worth remembering them of it.
OF_THE_OBJECT: Final = frozenset({Kind.REFUSED, Kind.TIMED_OUT, Kind.CRASHED, Kind.TOO_LARGE})
# Kinds that cost a child process.
COSTLY: Final = frozenset({Kind.TIMED_OUT, Kind.CRASHED, Kind.TOO_LARGE})

SENTENCES: Final[Mapping[Kind, str]] = MappingProxyType({
    Kind.REFUSED: "no decoder can read these pixel data",
    Kind.ABSENT: "the object has no such frame",
    Kind.TIMED_OUT: "decoding took longer than it may and was ended",
    Kind.CRASHED: "the decoder crashed on this object",
    Kind.TOO_LARGE: "decoding needs more memory, or gives more bytes, than it may",
    Kind.BUSY: "too many images wait for a decoder",
})  # fmt: skip


class CodecFault(ApplianceError):
    """A task gave no result; `kind` says why. The message holds no patient data.

    `retryable` is true of BUSY alone.
    """

    def __init__(self, kind: Kind, reason: str = "") -> None:
        """`reason` is a plain sentence without patient data; unset, the kind's own."""
        super().__init__(reason or SENTENCES[kind], hint="try again in a moment" if kind is Kind.BUSY else "")
        self.kind = kind


class CodecBusy(CodecFault):
    """The pool has no room or no time for the task now."""

    retryable = True

    def __init__(self, reason: str = "") -> None:
        super().__init__(Kind.BUSY, reason)
