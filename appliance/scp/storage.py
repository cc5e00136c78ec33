"""The Storage service as provider: one C-STORE from its command to its answer (PS3.4 annex B)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from appliance.errors import ApplianceError, ArchiveFailed, TooLarge
from appliance.logs import get_logger
from appliance.model.records import Origin, Stored
from appliance.scp.command import Command
from appliance.scp.status import NO_DATA_SET, PROCESSING_FAILURE, SUCCESS, DimseStatus, status_of


class Arrival(Protocol):
    """One object on its way into the archive."""

    def write(self, data: memoryview) -> None:
        """Append data set bytes."""

    def finish(self) -> Stored:
        """Make it durable and indexed; it is both when this returns."""

    def discard(self) -> None:
        """Forget it. Safe to repeat."""


class Ingest(Protocol):
    """The part of the archive this door needs."""

    def begin(self, origin: Origin, *, transfer_syntax_uid: str, sop_class_uid: str, sop_uid: str) -> Arrival:
        """Start an arrival."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a C-STORE ended: the status to answer, the bytes received, and what was stored, if it was."""

    status: DimseStatus
    size: int
    stored: Stored | None = None


class StoreOperation:
    """Streams one data set into the archive and answers when its fate is certain.

    After a refusal the rest of the data set is read and dropped, so that the association survives and
    the answer comes where the peer expects it. `answer` is called exactly once, unless abandoned.
    """

    def __init__(
        self,
        ingest: Ingest,
        origin: Origin,
        command: Command,
        transfer_syntax_uid: str,
        max_object_bytes: int,
        answer: Callable[[Outcome], None],
    ) -> None:
        self._answer = answer
        self._limit = max_object_bytes
        self._size = 0
        self._arrival: Arrival | None = None
        self._refusal: DimseStatus | None = None if command.has_data_set else NO_DATA_SET
        if self._refusal is None:
            self._begin(ingest, origin, command, transfer_syntax_uid)

    def _begin(self, ingest: Ingest, origin: Origin, command: Command, transfer_syntax_uid: str) -> None:
        try:
            self._arrival = ingest.begin(
                origin,
                transfer_syntax_uid=transfer_syntax_uid,
                sop_class_uid=command.sop_class_uid,
                sop_uid=command.sop_instance_uid,
            )
        except (ApplianceError, OSError) as error:
            self._refuse(error)

    def data(self, piece: memoryview) -> None:
        """Pass a piece of the data set on to the archive."""
        self._size += len(piece)
        if self._arrival is None:
            return
        try:
            if self._size > self._limit:
                raise TooLarge("object larger than archive.max_object_bytes")
            self._arrival.write(piece)
        except (ApplianceError, OSError) as error:
            self._refuse(error)

    def complete(self) -> None:
        """Finish the arrival and answer. Success is answered only for what is durable."""
        if self._arrival is None:
            self._answer(Outcome(self._refusal or PROCESSING_FAILURE, self._size))
            return
        try:
            stored = self._arrival.finish()
        except Exception as error:  # boundary: whatever goes wrong in the archive, the peer gets a failure
            self._refuse(error)
            self._answer(Outcome(self._refusal or PROCESSING_FAILURE, self._size))
            return
        self._arrival = None
        self._answer(Outcome(SUCCESS, self._size, stored))

    def abandon(self) -> None:
        """The peer is gone: drop what came. Safe to repeat."""
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.discard()

    def _refuse(self, error: Exception) -> None:
        self._refusal = status_of(error)
        log = get_logger(__name__)
        if self._refusal is PROCESSING_FAILURE:
            log.exception("store failed", kind=type(error).__name__)
        elif isinstance(error, ArchiveFailed):
            log.error("archive failed while storing", reason=str(error))
        self.abandon()
