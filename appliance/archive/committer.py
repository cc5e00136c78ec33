"""Group commit: the transactions of concurrent stores share one fsync of the write-ahead log.

Processes cannot share a transaction, so the threads of one room do. Whoever comes first leads: it
takes what has been submitted so far and commits it in one transaction, while the next ones gather
behind it. Alone, a caller commits in its own thread at once. A job that fails is rolled back to
its own savepoint and does not touch its neighbours.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from appliance.archive.database import Connection, Database, translated
from appliance.errors import ArchiveError, ArchiveFailed
from appliance.failpoints import failpoint

T = TypeVar("T")
Job = Callable[[Connection], Any]
Answer = tuple[Future[Any], Any, BaseException | None]
MAXIMUM_GROUP = 128


class Committer:
    """Commits what many threads submit, in groups."""

    def __init__(self, database: Database) -> None:
        """Take the database; there is no thread behind this."""
        self._database = database
        self._waiting: deque[tuple[Job, Future[Any]]] = deque()
        self._leading = threading.Lock()
        self._closed = False
        self._began: float | None = None
        self._failure: ArchiveFailed | None = None

    def run(self, job: Callable[[Connection], T]) -> T:
        """Run `job` in a transaction; committed and on disk on return.

        Raises what the job raised (its own writes then undone), or DiskFull/ArchiveFailed
        when the commit of the whole group failed.
        """
        future: Future[T] = Future()
        self._waiting.append((job, future))
        with self._leading:
            while not future.done():
                self._began = time.monotonic()
                try:
                    self._commit(self._next_group())
                finally:
                    self._began = None
        return future.result()

    def began(self) -> float | None:
        """Return when the commit under way began, by time.monotonic; None while there is none."""
        return self._began

    def close(self) -> None:
        """Wait for the group under way; refuse what is submitted afterwards."""
        with self._leading:
            self._closed = True

    def _next_group(self) -> list[tuple[Job, Future[Any]]]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), MAXIMUM_GROUP))]

    def _commit(self, group: list[tuple[Job, Future[Any]]]) -> None:
        answers: list[Answer] = []
        try:
            self._check_open()
            with self._database.write() as cx:
                answers = [_run_one(cx, job, future) for job, future in group]
                failpoint("ingest.before_commit")
            failpoint("ingest.after_commit")
        except BaseException as error:  # boundary: handed to every waiting caller, or they would wait for ever
            if isinstance(error, ArchiveFailed):
                self._failure = error
            answers = [(future, None, error) for _, future in group]
        for future, value, fault in answers:
            if fault is not None:
                future.set_exception(fault)
            else:
                future.set_result(value)

    def _check_open(self) -> None:
        if self._failure is not None:
            raise ArchiveFailed("an earlier commit failed", hint="the process must restart") from self._failure
        if self._closed:
            raise ArchiveError("the archive is closing", hint="send again in a moment")


def _run_one(cx: Connection, job: Job, future: Future[Any]) -> Answer:
    cx.execute("SAVEPOINT job")
    try:
        with translated():
            value = job(cx)
    except Exception as error:  # boundary: handed to the one caller
        if not cx.in_transaction:
            raise  # a full disk or a lost database rolls back the whole group
        cx.execute("ROLLBACK TO job")
        cx.execute("RELEASE job")
        return future, None, error
    cx.execute("RELEASE job")
    return future, value, None
