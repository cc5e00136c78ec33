"""An archive in memory behind the interface of ingest, for tests of the doors alone."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field

from appliance.model.records import Origin, Result, Stored


@dataclass
class Received:
    """One object as it came."""

    origin: Origin
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_uid: str
    data: bytes


@dataclass
class Faults:
    """What goes wrong next; each is raised where its name says, `write_after` bytes into the object."""

    begin: Exception | None = None
    write: Exception | None = None
    write_after: int = 0
    finish: Exception | None = None


class MemoryArrival:
    """Collects the bytes of one object."""

    def __init__(self, ingest: MemoryIngest, labels: tuple[Origin, str, str, str]) -> None:
        self._ingest = ingest
        self._labels = labels
        self._size = 0
        self._pieces: list[bytes] = []
        self._digest = hashlib.sha256()
        self.open = True

    def write(self, data: memoryview | bytes) -> None:
        """Take bytes."""
        assert self.open
        faults = self._ingest.faults
        self._size += len(data)
        if faults.write is not None and self._size > faults.write_after:
            raise faults.write
        self._digest.update(data)
        if self._ingest.keep:
            self._pieces.append(bytes(data))

    def finish(self) -> Stored:
        """Keep the object."""
        assert self.open
        self._ingest.gate.wait()
        if self._ingest.faults.finish is not None:
            self.discard()
            raise self._ingest.faults.finish
        origin, syntax, sop_class, sop_uid = self._labels
        self.open = False
        return self._ingest.keep_object(
            Received(origin, syntax, sop_class, sop_uid, b"".join(self._pieces)), self._digest.hexdigest()
        )

    def discard(self) -> None:
        """Forget the object."""
        if self.open:
            self.open = False
            self._ingest.discarded += 1


@dataclass
class MemoryIngest:
    """Keeps objects in a list; `gate` holds `finish` back while it is clear, `result` is what it says."""

    keep: bool = True
    result: Result = Result.STORED
    faults: Faults = field(default_factory=Faults)
    received: list[Received] = field(default_factory=list)
    arrivals: list[MemoryArrival] = field(default_factory=list)
    discarded: int = 0
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def begin(self, origin: Origin, *, transfer_syntax_uid: str, sop_class_uid: str, sop_uid: str) -> MemoryArrival:
        """Start an arrival."""
        if self.faults.begin is not None:
            raise self.faults.begin
        arrival = MemoryArrival(self, (origin, transfer_syntax_uid, sop_class_uid, sop_uid))
        self.arrivals.append(arrival)
        return arrival

    def keep_object(self, received: Received, digest: str) -> Stored:
        """Remember a finished object."""
        self.received.append(received)
        return Stored(
            result=self.result,
            study_uid="1.2.3",
            series_uid="1.2.3.4",
            sop_uid=received.sop_uid,
            sop_class_uid=received.sop_class_uid,
            transfer_syntax_uid=received.transfer_syntax_uid,
            digest=digest,
            version_id=len(self.received),
        )
