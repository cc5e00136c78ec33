"""The directory sink: records as JSON lines per topic and whole DICOM files, in a directory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.archive.files import DIRECTORY_MODE, DirectoryTree, fsync_directory
from appliance.archive.outbox import Delivery
from appliance.errors import DeliveryError
from appliance.failpoints import failpoint
from appliance.lifecycle import open_locked
from appliance.sync.envelope import OBJECT, Envelope, object_path, seal
from appliance.sync.sinks.contract import Answer, Misconfigured, RowFault, Unreachable
from appliance.sync.sinks.destination import destination
from appliance.sync.sinks.lines import ROTATE_BYTES, TopicLines
from appliance.sync.sinks.objects import OBJECTS, ObjectFiles

LOCK = ".lock"
OPEN = "open the directory"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A row's records as (topic, line) pairs, ready to be appended."""

    event_id: int
    lines: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, row: Delivery, envelopes: Sequence[Envelope]) -> Sealed:
        """Make lines of the records of a row."""
        return cls(row.event_id, tuple((envelope.topic, envelope.value + b"\n") for envelope in envelopes))


class DirectorySink:
    """Writes below `root`: `objects/<tenant>/<study>/<series>/<sop>.dcm`, `<topic>/<topic>-NNNNNN.jsonl`.

    There is no receiver behind a directory, so the store records are written here too (profile
    "direct"), after the object's bytes are durable; their file_path is relative to `root`.
    """

    def __init__(
        self,
        root: Path,
        *,
        create: bool = False,
        beside: Path | None = None,
        floor_bytes: int = 0,
        rotate_bytes: int = ROTATE_BYTES,
    ) -> None:
        """Touch nothing yet. `create`: make `root` (not its parents) where it is missing.

        On the file system of `beside` (the archive's) the last `floor_bytes` are left alone.

        Without it a missing root pauses the sink, so that an unmounted disk is not mistaken for
        an empty one.
        """
        self._root = root
        self._create = create
        self._beside = beside
        self._floor_bytes = floor_bytes
        self._rotate_bytes = rotate_bytes
        self._lock = -1
        self._tree = DirectoryTree(root)
        self._objects = ObjectFiles(self._tree)
        self._topics: dict[str, TopicLines] = {}
        self._disk = (0, 0)

    def deliver(self, batch: Sequence[Delivery]) -> Mapping[int, Answer]:
        """Write records of states and images, then objects, then store records. See the contract.

        An obstacle half way is the answer of the rows it kept out; those before it are delivered.
        """
        answers: dict[int, Answer] = {}
        try:
            self._open()
            self._check_room(0)
            self._append(_sealed([row for row in batch if row.kind != OBJECT], answers), answers)
            self._deliver_objects([row for row in batch if row.kind == OBJECT], answers)
        except (Unreachable, Misconfigured) as obstacle:
            self.close()
            for row in batch:
                answers.setdefault(row.event_id, obstacle)
        except BaseException:
            self.close()
            raise
        return answers

    def close(self) -> None:
        """Close every file and give up the lock. Safe to repeat; the next delivery opens again."""
        for topic in self._topics.values():
            topic.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _open(self) -> None:
        if self._lock >= 0 and self._is_same_root():
            return
        self.close()
        with destination(OPEN):
            if self._create and not self._root.exists():
                self._root.mkdir(mode=DIRECTORY_MODE)
                fsync_directory(self._root.parent)
            self._lock = _locked(self._root / LOCK)
        if not self._same_disk():
            self._topics = {}  # what is known of files (one whose fsync failed) is true of one disk only
        self._tree = DirectoryTree(self._root)
        self._objects = ObjectFiles(self._tree)
        self._objects.open()

    def _same_disk(self) -> bool:
        """Say whether the root is the directory that was opened last, on the same file system."""
        with destination(OPEN):
            found = os.stat(self._root)
        before, self._disk = self._disk, (found.st_dev, found.st_ino)
        return before == self._disk

    def _is_same_root(self) -> bool:
        """Say whether the lock held is still the one at the path: the disk may have been swapped."""
        held = os.fstat(self._lock)
        try:
            found = os.stat(self._root / LOCK)
        except OSError:
            return False
        return os.path.samestat(held, found)

    def _deliver_objects(self, rows: Sequence[Delivery], answers: dict[int, Answer]) -> None:
        stored: list[Sealed] = []
        obstacle: DeliveryError | None = None
        for row in rows:
            try:
                stored.append(self._store(row))
            except (Unreachable, Misconfigured) as error:
                obstacle = error
                break
            except DeliveryError as fault:
                answers[row.event_id] = fault
        if stored:
            self._objects.flush()
            self._append(stored, answers)
        if obstacle is not None:
            raise obstacle

    def _store(self, row: Delivery) -> Sealed:
        if row.blob is None:
            raise RowFault("the archive no longer holds this object's bytes")
        relative = object_path(row)
        sealed = Sealed.of(row, seal(row, f"{OBJECTS}/{relative}"))
        self._check_room(row.blob.file_size)
        self._objects.put(row.blob, relative)
        return sealed

    def _check_room(self, coming: int) -> None:
        """Raise Unreachable rather than eat what the archive keeps in reserve on a disk that both share."""
        if self._beside is None or not self._floor_bytes:
            return
        with destination(OPEN):
            shared = os.stat(self._root).st_dev == os.stat(self._beside).st_dev
            found = os.statvfs(self._root)
        if shared and found.f_bavail * found.f_frsize - coming < self._floor_bytes:
            raise Unreachable(
                "the disk it shares with the archive is full down to half of the archive's reserve",
                hint="give the sink a disk of its own, or free some space",
            )

    def _append(self, rows: Sequence[Sealed], answers: dict[int, Answer]) -> None:
        """Add the rows' lines, one write and one fsync per topic; the rows are delivered then."""
        by_topic: dict[str, list[bytes]] = {}
        for row in rows:
            for topic, data in row.lines:
                by_topic.setdefault(topic, []).append(data)
        with destination("append records"):
            for topic, lines in by_topic.items():
                failpoint("directory.before_lines")
                self._topic(topic).append(b"".join(lines))
                failpoint("directory.after_lines")
        answers.update({row.event_id: None for row in rows})

    def _topic(self, topic: str) -> TopicLines:
        if topic not in self._topics:
            self._topics[topic] = TopicLines(self._tree, topic, self._rotate_bytes)
        return self._topics[topic]


def _locked(path: Path) -> int:
    try:
        return open_locked(path)
    except BlockingIOError as error:
        hint = "give each sink and each appliance a directory of its own"
        raise Misconfigured("another process writes to this directory", hint=hint) from error


def _sealed(rows: Sequence[Delivery], answers: dict[int, Answer]) -> list[Sealed]:
    """Seal each row; those that cannot be get their fault as the answer."""
    sealed = []
    for row in rows:
        try:
            sealed.append(Sealed.of(row, seal(row)))
        except RowFault as fault:
            answers[row.event_id] = fault
    return sealed
