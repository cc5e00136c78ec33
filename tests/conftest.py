"""What every test starts from: a clean environment, and the marks its folder implies."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.clocks import FakeClock

ROOT = Path(__file__).parent
FOLDER_MARKS = {"crash": "paired", "browser": "paired", "memory": "serial", "soak": "serial", "benchmarks": "full"}
# Where tests hold connections, pipes and processes.
OPENING = ("integration", "contract", "crash")

# No deadline: two workers share the machine with the programs they start.
hypothesis.settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the folders they stand in."""
    for item in items:
        for folder in item.path.relative_to(ROOT).parts if item.path.is_relative_to(ROOT) else ():
            if folder in FOLDER_MARKS:
                item.add_marker(FOLDER_MARKS[folder])


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays until the end: it is called after many tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings out of the tests and of the processes they start."""
    for variable in [name for name in os.environ if name.startswith("APPLIANCE_")]:
        monkeypatch.delenv(variable)


@pytest.fixture(autouse=True)
def _all_closed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let whatever a test leaves open be noticed in this very test, not in the one the garbage collector visits."""
    yield
    if request.path.is_relative_to(ROOT) and request.path.relative_to(ROOT).parts[0] in OPENING:
        gc.collect()


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the test moves."""
    return FakeClock()
