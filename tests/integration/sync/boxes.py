"""A box of which only the sync room runs; instances are stored by the test process itself."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from appliance.archive.outbox_desk import SinkStats
from appliance.archive.room import Archive
from appliance.lifecycle import read_rooms
from tests.archives import SINK, new_archive, sender
from tests.builders.instances import part10, series
from tests.partners.appliance import Appliance
from tests.partners.outbound import Outbound
from tests.waiting import wait_until

QUICK = {
    "APPLIANCE__ARCHIVE__RESERVE_BYTES": "0",
    "APPLIANCE__ARCHIVE__BALLAST_BYTES": "0",
    "APPLIANCE__SYNC__BACKOFF_BASE": "0.05",
    "APPLIANCE__SYNC__BACKOFF_CAP": "0.2",
}


class Box:
    """An archive opened here, and `appliance sync` as a process on the same home."""

    def __init__(self, home: Path, environ: Mapping[str, str] | None = None, **settings: Any) -> None:
        """Initialise the home; `settings` are the archive's, `environ` the processes' (APPLIANCE__...)."""
        self.home = home
        self.archive: Archive = new_archive(home, **settings)
        self.appliance = Appliance(home, {**QUICK, **(environ or {})})
        self.outbound = Outbound(home / SINK)

    def store(self, count: int, **overrides: Any) -> None:
        """Store a new series of `count` instances."""
        for dataset in series(count, **overrides):
            self.archive.ingest.receive_file(BytesIO(part10(dataset)), sender())

    def start(self, environ: Mapping[str, str] | None = None) -> None:
        """Start the sync room; `environ` counts for this process alone."""
        self.appliance.start("sync", environ=environ)

    def stats(self, sink: str = SINK) -> SinkStats:
        """The outbox's numbers of a sink."""
        return self.archive.outbox.stats()[sink]

    def wait_drained(self, sink: str = SINK, seconds: float = 30) -> None:
        """Wait until nothing of a sink is pending or leased."""
        wait_until(lambda: not (self.stats(sink).pending or self.stats(sink).leased), seconds, every=0.05)

    def published(self) -> dict[str, Any]:
        """What the sync room has published; {} before it does."""
        return read_rooms(self.home / "run").get("sync", {})

    def __enter__(self) -> Self:
        """Return the box."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, close the archive."""
        self.appliance.__exit__(kind, error, trace)
        self.archive.close()
