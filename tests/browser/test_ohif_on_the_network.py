"""OHIF from another PC: by a name of the local network without TLS, and over HTTPS with nginx in front."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from tests.browser.conftest import Visitor
from tests.builders.instances import part10
from tests.builders.reading import compressed, ct_slices
from tests.integration.web.client import WebClient, stow_body
from tests.integration.web.test_login import PASSWORD, REQUIRED, add, bearer
from tests.partners import ohif
from tests.partners.appliance import Appliance
from tests.partners.chromium import launched, visiting
from tests.partners.nginx import Nginx
from tests.partners.ohif import Reader

LAN_NAME = "pacs.hospital.example"
JPEG2000_LOSSLESS = "1.2.840.10008.1.2.4.90"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A box that is known by a name, with a socket for nginx."""
    if reason := ohif.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("network")
    (folder / "password").write_text(f"{PASSWORD}\n")
    settings = REQUIRED | {
        "APPLIANCE__WEB__OHIF": str(ohif.folder()),
        "APPLIANCE__WEB__ALLOWED_HOSTS": f'["{LAN_NAME}"]',
        "APPLIANCE__WEB__SOCKET": str(folder / "web.sock"),
    }
    with Appliance(folder / "home", settings) as started:
        started.command("init")
        add(started, "ann", "viewer")
        started.start("web")
        started.wait_ready("web")
        yield started


@pytest.fixture(scope="module")
def study_uid(box: Appliance) -> str:
    """A study in JPEG 2000, for which the decode worker has to evaluate code."""
    slices = list(ct_slices(2))
    with WebClient(box.url) as client:
        files = (part10(compressed(each, JPEG2000_LOSSLESS), JPEG2000_LOSSLESS) for each in slices)
        assert client.stow(stow_body(*files), **bearer(box, "modality", "technician")).status_code == 200
    return str(slices[0].StudyInstanceUID)


def check_reading(reader: Reader, study_uid: str, *allowed_errors: str) -> None:
    reader.open(study_uid)
    reader.page.fill("#name", "ann")
    reader.page.fill("#password", PASSWORD)
    reader.page.keyboard.press("Enter")
    assert 124 <= reader.wait_for_image(levels=200).centre[0] <= 128
    reader.visit.check(allowed_errors=allowed_errors)


def test_plain_http_on_a_name_of_the_local_network_is_enough(
    box: Appliance, study_uid: str, driver: Playwright
) -> None:
    url = f"http://{LAN_NAME}:{box.web_port}"
    with (
        launched(driver, f"--host-resolver-rules=MAP {LAN_NAME} 127.0.0.1") as browser,
        visiting(browser, url) as visit,
    ):
        # A header of ours that Chromium honours over HTTPS only, and says so.
        check_reading(Reader(visit), study_uid, "Cross-Origin-Opener-Policy header has been ignored")
        assert visit.page.evaluate("window.isSecureContext") is False


def test_https_ends_at_nginx_as_it_is_shipped(box: Appliance, study_uid: str, visit: Visitor, tmp_path: Path) -> None:
    with Nginx(tmp_path / "nginx", box.home.parent / "web.sock", box.home) as front:
        check_reading(Reader(visit(front.url)), study_uid)
        log = (tmp_path / "nginx" / "dicom-edge-appliance.log").read_text()
        assert "/ohif/viewer" in log
        assert "PAT-1" not in log
