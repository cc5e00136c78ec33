"""The pictures of docs/reading.md, of synthetic patients: `python -m tests.browser.pictures` draws them again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from PIL import Image
from pydicom import Dataset
from pydicom.uid import generate_uid

from appliance.cli.phantom import SIDE, slice_pixels
from tests.builders.instances import ct
from tests.builders.papers import content, structured_report
from tests.builders.reading import CHINESE_NAME, ct_slices
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance
from tests.partners.chromium import chromium, visiting
from tests.partners.fallback import Fallback
from tests.partners.ports import free_ports

IMAGES: Final = Path(__file__).resolve().parents[2] / "docs" / "images"
COLOURS: Final = 64
MOST_BYTES: Final = 100_000


def head(**overrides: Any) -> Iterator[Dataset]:
    """Yield a head CT of ellipses."""
    shared: dict[str, Any] = {
        "StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), "Rows": SIDE, "Columns": SIDE,
        "PixelSpacing": [0.9, 0.9], "RescaleIntercept": -1024, "RescaleSlope": 1, "WindowCenter": 40,
        "WindowWidth": 80, "BitsStored": 16, "HighBit": 15, "StudyDescription": "Head", "SeriesDescription": "Axial",
    }  # fmt: skip
    for number in range(16):
        pixels = slice_pixels(number / 8 - 1)
        yield ct(**{**shared, **overrides, "InstanceNumber": number + 1, "PixelData": pixels})


def fill(client: WebClient) -> str:
    """Store the patients; return the study that is read."""
    whose = {"PatientName": CHINESE_NAME, "PatientID": "100234", "PatientSex": "M"}
    now = list(head(**whose, AccessionNumber="A-2071", StudyDate="20240611"))
    study = str(now[0].StudyInstanceUID)
    finding = [content("TEXT", "Finding", TextValue="No haemorrhage. Ventricles of normal width.")]
    report = structured_report(
        finding, title="Head CT", **whose, StudyInstanceUID=study, StudyDate="20240611", SeriesDescription="Report",
        StudyDescription="Head", AccessionNumber="A-2071",
    )  # fmt: skip
    client.keep(*now, report)
    client.keep(*head(**whose, AccessionNumber="A-1180", StudyDate="20220115", StudyDescription="Head, follow-up"))
    thorax: dict[str, Any] = {"StudyDate": "20240610", "StudyDescription": "Thorax", "AccessionNumber": "A-2060"}
    client.keep(*ct_slices(3, PatientName="Example^Anna", PatientID="100871", **thorax))
    return study


def kept(reader: Fallback, name: str) -> None:
    """Take a picture for the docs, with few colours."""
    path = reader.visit.screenshot(f"docs-{name}")
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)
    size = (IMAGES / f"{name}.png").stat().st_size
    assert size <= MOST_BYTES, f"{name} has {size} bytes"


def draw(reader: Fallback, study_uid: str) -> None:
    """Visit every page that the docs show."""
    reader.visit.open("/")
    reader.page.locator(".outage").filter(has_text="centre has been down").wait_for()
    reader.page.locator("tbody tr .badge.sent").nth(2).wait_for()
    reader.page.wait_for_load_state("networkidle")
    kept(reader, "study-list")
    reader.visit.open(f"/studies/{study_uid}")
    reader.page.wait_for_load_state("networkidle")
    kept(reader, "study-page")
    reader.open(study_uid)
    reader.wait_shown("/frames/1/rendered")
    reader.page.keyboard.press("PageDown")
    reader.wait_shown("/frames/1/rendered")
    kept(reader, "fallback-viewer")
    reader.page.locator("[data-prior]").first.click()
    reader.page.keyboard.press("b")
    reader.page.keyboard.press("x")
    reader.page.locator("#series .prior + [data-stack]").first.click()
    reader.wait_shown("/frames/1/rendered", 2)
    kept(reader, "fallback-priors")


def _sinks(folder: str) -> dict[str, str]:
    """Return the settings of a box whose line to the centre is down and whose own disk takes everything."""
    (port,) = free_ports(1)
    Path(folder, "backup").mkdir()
    sinks = {
        "centre": {"kind": "stow", "url": f"http://127.0.0.1:{port}/dicom-web"},
        "backup": {"kind": "directory", "path": f"{folder}/backup"},
    }
    return {"APPLIANCE__SYNC__SINKS": json.dumps(sinks), "APPLIANCE__SYNC__BREAKER_THRESHOLD": "1"}


def main() -> None:
    """Start a box, fill it, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder, Appliance(Path(folder) / "home", _sinks(folder)) as box:
        box.command("init")
        box.start()
        box.wait_ready()
        with WebClient(box.url) as client:
            study_uid = fill(client)
        with chromium() as browser, visiting(browser, box.url) as visit:
            draw(Fallback(visit), study_uid)
            visit.check()


if __name__ == "__main__":
    main()
