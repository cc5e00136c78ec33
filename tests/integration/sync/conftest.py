"""An initialised home with some instances in it, and its sync room as a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sync.boxes import Box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A box; its processes are gone afterwards."""
    with Box(tmp_path / "home") as found:
        yield found
