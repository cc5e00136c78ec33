"""Group commit: the transactions of concurrent stores share one fsync of the write-ahead log.

Processes cannot share a transaction, so each room has one committing thread. A job that fails is
rolled back to its own savepoint and does not touch its neighbours.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from appliance.archive.database import Connection, Database
from appliance.errors import ArchiveError
from appliance.failpoints import failpoint

T = TypeVar("T")
Job = Callable[[Connection], Any]
MAXIMUM_GROUP = 128


class Committer:
    """One thread that commits what many threads submit."""

    def __init__(self, database: Database) -> None:
        """Take the database; the thread starts with the first job."""
        self._database = database
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    def run(self, job: Callable[[Connection], T]) -> T:
        """Run `job` in a transaction; committed and on disk on return.

        Raises what the job raised (its own writes then undone), or DiskFull/ArchiveFailed
        when the commit of the whole group failed.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise ArchiveError("the archive is closing", hint="send again in a moment")
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="committer", daemon=True)
                self._thread.start()
            self._jobs.put((job, future))
        return future.result()

    def close(self) -> None:
        """Finish what was submitted, then stop the thread."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._jobs.put(None)
            thread.join()

    def _serve(self) -> None:
        while (group := self._next_group()) is not None:
            self._commit(group)

    def _next_group(self) -> list[tuple[Job, Future[Any]]] | None:
        first = self._jobs.get()
        if first is None:
            return None
        group = [first]
        while len(group) < MAXIMUM_GROUP:
            try:
                item = self._jobs.get_nowait()
            except queue.Empty:
                break
            if item is None:
                self._jobs.put(None)
                break
            group.append(item)
        return group

    def _commit(self, group: list[tuple[Job, Future[Any]]]) -> None:
        answers: list[tuple[Future[Any], Any, Exception | None]] = []
        try:
            with self._database.write() as cx:
                answers = [self._run_one(cx, job, future) for job, future in group]
                failpoint("ingest.before_commit")
            failpoint("ingest.after_commit")
        except Exception as error:  # boundary: handed to every waiting caller
            for _, future in group:
                future.set_exception(error)
            return
        for future, value, fault in answers:
            if fault is not None:
                future.set_exception(fault)
            else:
                future.set_result(value)

    @staticmethod
    def _run_one(cx: Connection, job: Job, future: Future[Any]) -> tuple[Future[Any], Any, Exception | None]:
        cx.execute("SAVEPOINT job")
        try:
            value = job(cx)
        except Exception as error:  # boundary: handed to the one caller
            if not cx.in_transaction:
                raise  # a full disk or a lost database rolls back the whole group
            cx.execute("ROLLBACK TO job")
            cx.execute("RELEASE job")
            return future, None, error
        cx.execute("RELEASE job")
        return future, value, None
