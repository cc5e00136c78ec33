"""What a self-test has begun and not yet cleaned up: noted on disk before anything is sent, under a lock.

A run that is killed leaves its note; the next one removes what the note names, and nothing else. No study is ever
removed because of what its attributes look like.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.archive.files import DIRECTORY_MODE, fsync_directory
from appliance.errors import AlreadyRunning
from appliance.lifecycle import open_locked
from appliance.model.uid import is_valid_uid

FOLDER = "selftest"
LOCK = "selftest.lock"
MODE = 0o640


class Notes:
    """The notes of one home."""

    def __init__(self, home: Path) -> None:
        """Touch nothing yet."""
        self._home = home
        self._folder = home / FOLDER

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the one self-test of this home while inside. Raises AlreadyRunning."""
        try:
            descriptor = open_locked(self._home / LOCK)
        except BlockingIOError as error:
            raise AlreadyRunning(
                "another self-test of this box is under way", hint="wait until it has ended"
            ) from error
        try:
            yield
        finally:
            os.close(descriptor)

    def begin(self, study_uid: str) -> None:
        """Note a study that is about to be sent; durable on return."""
        self._folder.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        os.close(os.open(self._folder / study_uid, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, MODE))
        fsync_directory(self._folder)
        fsync_directory(self._home)

    def end(self, study_uid: str) -> None:
        """Forget a study that is removed, or is to stay. Safe to repeat."""
        (self._folder / study_uid).unlink(missing_ok=True)

    def left(self) -> list[str]:
        """Return the studies of runs that did not come to their end."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if is_valid_uid(path.name))
