"""One browser and one box for all these tests; a fresh page for each. They need the machine to themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.integration.web.client import WebClient
from tests.partners import ohif
from tests.partners.appliance import Appliance
from tests.partners.chromium import WITHOUT_WEBGL, Visit, launched, visiting
from tests.partners.ohif import Reader

Visitor = Callable[..., Visit]
OpenStudy = Callable[..., Reader]


@pytest.fixture(scope="session")
def driver() -> Iterator[Playwright]:
    """What drives browsers; a thread can have one."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(driver: Playwright) -> Iterator[Browser]:
    """Chromium with WebGL in software."""
    with launched(driver) as started:
        yield started


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visitor]:
    """`visit(url, locale=...)` opens a fresh page for the appliance at `url`; closed after the test."""
    with ExitStack() as pages:
        yield lambda url, **options: pages.enter_context(visiting(browser, url, **options))


@pytest.fixture
def plain_visit(driver: Playwright) -> Iterator[Visitor]:
    """The same in a browser without WebGL."""
    with ExitStack() as pages:
        started = pages.enter_context(launched(driver, *WITHOUT_WEBGL))
        yield lambda url, **options: pages.enter_context(visiting(started, url, **options))


@pytest.fixture(scope="session")
def ohif_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A box with OHIF whose web room alone is running. Skipped, and only there, on a machine without Node."""
    if reason := ohif.missing():
        pytest.skip(reason)
    settings = {"APPLIANCE__WEB__OHIF": str(ohif.folder())}
    with Appliance(tmp_path_factory.mktemp("ohif") / "home", settings) as box:
        box.command("init")
        box.start("web")
        box.wait_ready("web")
        yield box


@pytest.fixture
def store(ohif_box: Appliance) -> Iterator[WebClient]:
    """A way to put studies into that box."""
    with WebClient(ohif_box.url) as client:
        yield client


@pytest.fixture
def open_study(ohif_box: Appliance, visit: Visitor) -> Iterator[OpenStudy]:
    """`open_study(uid, ...)` opens OHIF with studies. Afterwards: no other host, no policy report, no error."""
    readers: list[Reader] = []

    def opened(*study_uids: str, options: str = "") -> Reader:
        readers.append(Reader(visit(ohif_box.url)))
        readers[-1].open(*study_uids, options=options)
        return readers[-1]

    yield opened
    for reader in readers:
        reader.visit.check()


@pytest.fixture(scope="package")
def pages_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A box for its own pages and the fallback viewer, whether OHIF is there or not."""
    with Appliance(tmp_path_factory.mktemp("pages") / "home") as box:
        box.command("init")
        box.start("web")
        box.wait_ready("web")
        yield box


@pytest.fixture
def shelf(pages_box: Appliance) -> Iterator[WebClient]:
    """A way to put studies into that box."""
    with WebClient(pages_box.url) as client:
        yield client
