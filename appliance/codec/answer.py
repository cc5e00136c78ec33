"""What a child says to a task: pieces of the result, then facts or a fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from appliance.codec.faults import CodecBusy, CodecFault, Kind
from appliance.codec.line import Task
from appliance.codec.outcome import Outcome
from appliance.codec.wire import DATA, FACTS, FAULT, Garbled, document_of

LONGEST_REASON: Final = 200


class SinkFailed(Exception):
    """The caller's sink raised `error`: the other side is in the middle of an answer."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def receive_outcome(receive: Callable[[], tuple[bytes, bytes]], task: Task, most: int) -> Outcome:
    """Take messages from `receive` until the answer is whole; its bytes may be `most`, and go to the task's sink.

    Raises CodecFault, SinkFailed, Garbled and what `receive` raises.
    """
    pieces: list[bytes] = []
    total = 0
    while True:
        kind, payload = receive()
        if kind == DATA:
            total += len(payload)
            if total > most:
                raise CodecFault(Kind.TOO_LARGE)
            _hand_over(payload, task, pieces)
        elif kind == FACTS:
            return Outcome(document_of(payload), pieces[0] if len(pieces) == 1 else b"".join(pieces))
        elif kind == FAULT:
            raise fault_of(document_of(payload))
        else:
            raise Garbled


def fault_of(document: dict[str, Any]) -> CodecFault:
    """Return the fault in a document, whose sentence is looked at before it is believed. Raises Garbled."""
    try:
        kind = Kind(document["kind"])
        reason = document["reason"]
    except (KeyError, ValueError):
        raise Garbled from None
    if not isinstance(reason, str) or not reason.isprintable() or len(reason) > LONGEST_REASON:
        raise Garbled
    return CodecBusy(reason) if kind is Kind.BUSY else CodecFault(kind, reason)


def _hand_over(payload: bytes, task: Task, pieces: list[bytes]) -> None:
    if task.sink is None:
        pieces.append(payload)
        return
    try:
        task.sink(payload)
    except Exception as error:  # boundary: the sink is the caller's, and so is its error
        raise SinkFailed(error) from error
