"""What tests of backups start from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset

from appliance.archive.room import Archive
from tests.archives import new_archive, sender
from tests.builders.instances import part10, series
from tests.clocks import FakeClock


@pytest.fixture
def archive(tmp_path: Path, clock: FakeClock) -> Iterator[Archive]:
    """A home with ten objects of two studies."""
    archive = new_archive(tmp_path / "home", clock)
    datasets = [dataset for _ in range(2) for dataset in series(5)]
    with ThreadPoolExecutor(10) as senders:  # they share a commit
        for stored in [senders.submit(receive, archive, dataset) for dataset in datasets]:
            stored.result()
    yield archive
    archive.close()


def receive(archive: Archive, dataset: Dataset) -> None:
    """Take an object in."""
    archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
