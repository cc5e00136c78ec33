"""An archive with a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.archive.room import Archive
from tests.archives import new_archive
from tests.clocks import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def archive(tmp_path: Path, clock: FakeClock) -> Iterator[Archive]:
    opened = new_archive(tmp_path / "home", clock)
    yield opened
    opened.close()
