"""One web room as a real process, and a browser-less client for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.web.client import WebClient
from tests.integration.web.front import Front, running
from tests.partners.appliance import Appliance


@pytest.fixture(scope="package")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A box whose web room alone is running."""
    with Appliance(tmp_path_factory.mktemp("web") / "home") as box:
        box.command("init")
        box.start("web")
        box.wait_ready("web")
        yield box


@pytest.fixture
def web(appliance: Appliance) -> Iterator[WebClient]:
    """A client of that room, with a session of its own."""
    with WebClient(appliance.url) as client:
        yield client


@pytest.fixture(scope="package")
def front() -> Iterator[Front]:
    """A box behind nginx."""
    with running() as found:
        yield found


@pytest.fixture
def outside(front: Front) -> Iterator[WebClient]:
    """Somebody on the other side of nginx."""
    with front.client() as client:
        yield client
