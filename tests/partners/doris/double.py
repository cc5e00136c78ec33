"""The double in this process: two doors over one storage, and what tests ask and order."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.partners.doris.ddl import parse
from tests.partners.doris.doors import Backend, Door, Frontend, Handler
from tests.partners.doris.storage import Row, Storage
from tests.partners.doris.stream_load import Load
from tests.partners.doris.troubles import Troubles

USERS = {"loader": "a:secret/word"}


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    door: str
    method: str
    path: str
    headers: dict[str, str]


class Doris:
    """A cluster of one frontend and one backend. A context manager.

    `ddl` is a whole script of CREATE TABLE statements. What was committed to `folder` before is there again.
    """

    def __init__(
        self,
        folder: Path,
        ddl: str,
        *,
        users: dict[str, str] | None = None,
        fe_port: int = 0,
        be_port: int = 0,
        clock: Callable[[], float] = time.time,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Listen at once."""
        self.users = dict(USERS if users is None else users)
        self.troubles = Troubles()
        self.storage = Storage(folder, parse(ddl), clock)
        self.errors = folder / "errors"
        self.asked: list[Asked] = []
        self.answers: list[dict[str, Any]] = []
        self.deny_by_status = False
        self.be_host = "127.0.0.1"
        self.error_root = ""
        self.scheme = "https" if context else "http"
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Load, bool, int | None]] = {}
        self._invisible: list[Load] = []
        self.frontend = Door(self, fe_port, Frontend, context)
        self.backend = Door(self, be_port, Backend, context)

    @property
    def fe_port(self) -> int:
        """Where the frontend listens."""
        return int(self.frontend.server_address[1])

    @property
    def be_port(self) -> int:
        """Where the backend listens."""
        return int(self.backend.server_address[1])

    @property
    def url(self) -> str:
        """The frontend's root."""
        return f"{self.scheme}://127.0.0.1:{self.fe_port}"

    def rows(self, table: str) -> list[Row]:
        """What a query of a table would give now, in no promised order."""
        place = next(place for place in self.storage.tables if place[1] == table)
        return self.storage.rows(*place)

    def order(self, kind: str, times: int = 1, **options: Any) -> None:
        """Trouble for the next requests; the kinds are in troubles.py."""
        self.troubles.order(kind, times, **options)

    def heal(self) -> None:
        """No more trouble; what runs or waits to be visible ends."""
        self.troubles.heal()
        self.release()

    def release(self) -> None:
        """End what runs, show what is committed."""
        with self._lock:
            running, self._running = list(self._running.values()), {}
            invisible, self._invisible = self._invisible, []
        for load, aborts, _ in running:
            _end(load, aborts=aborts)
        for load in invisible:
            assert load.transaction is not None
            self.storage.publish(load.transaction)

    def wipe(self) -> None:
        """Empty every table, forget labels, answers, requests and trouble."""
        self.heal()
        self.storage.truncate()
        self.asked.clear()
        self.answers.clear()

    def note(self, request: Handler) -> None:
        """Remember a request."""
        door = "fe" if request.server is getattr(self, "frontend", None) else "be"
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(door, request.command, request.path, headers))

    def leave_running(self, load: Load, *, aborts: bool, asks: int | None) -> None:
        """Let a transaction run until released, or until its label was asked for `asks` times."""
        with self._lock:
            self._running[load.label] = load, aborts, asks

    def leave_invisible(self, load: Load) -> None:
        """Let a committed transaction wait for release()."""
        with self._lock:
            self._invisible.append(load)

    def asked_for(self, label: str) -> None:
        """Somebody asked for a label whose transaction runs."""
        with self._lock:
            load, aborts, asks = self._running.get(label, (None, False, None))
            if load is None or asks is None:
                return
            self._running[label] = load, aborts, asks - 1
            if asks > 1:
                return
            del self._running[label]
        _end(load, aborts=aborts)

    def close(self) -> None:
        """End; connections break."""
        self.frontend.close()
        self.backend.close()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def _end(load: Load, *, aborts: bool) -> None:
    if aborts:
        load.fail("aborted")
    else:
        load.commit()
