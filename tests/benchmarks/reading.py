"""How long a reader waits: from navigation to the first picture of a large CT in OHIF.

    python -m tests.benchmarks.reading [--slices 500] [--repeats 5]

A real web room, Chromium with its pictures drawn in software, the viewer's files in the browser's cache from
a visit before. The clock is the page's own: it starts with the navigation and stops at the first frame in
which the viewport shows a picture.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.builders.instances import part10
from tests.builders.reading import ct_slices
from tests.partners import ohif
from tests.partners.appliance import Appliance
from tests.partners.chromium import Visit, returning

EDGE = 512
TARGET_SECONDS = 1.5
# Chromium keeps what it has compiled of a script from the second or third visit on.
WARMING = 3
# Cornerstone says when it has drawn; the time is noted, in milliseconds since the navigation began, before looking
# whether it was a picture.
LISTEN = f"""
document.addEventListener('CORNERSTONE_IMAGE_RENDERED', () => {{
  const now = performance.now();
  if (!window.__firstPicture && ({ohif.PROBE})(0).levels >= {ohif.LEAST_LEVELS}) window.__firstPicture = now;
}}, true);
"""


def stored_study(box: Appliance, folder: Path, slices: int) -> str:
    """Import one CT series into an appliance; return the study's UID."""
    folder.mkdir()
    study_uid = ""
    for number, dataset in enumerate(ct_slices(slices, edge=EDGE)):
        (folder / f"{number:04}.dcm").write_bytes(part10(dataset))
        study_uid = str(dataset.StudyInstanceUID)
    box.command("import", str(folder), seconds=600)
    return study_uid


def first_pictures(visit: Visit, study_uid: str, repeats: int) -> Iterator[float]:
    """Yield the seconds of the visits that warm the caches, then of `repeats` more."""
    visit.page.add_init_script(LISTEN)
    for _ in range(repeats + WARMING):
        visit.page.goto("about:blank")
        visit.open(f"/ohif/viewer?StudyInstanceUIDs={study_uid}")
        milliseconds = visit.page.wait_for_function("() => window.__firstPicture").json_value()
        # The next visit is of somebody who has looked around, so that nothing of this one runs on.
        visit.page.wait_for_load_state("networkidle")
        yield float(milliseconds) / 1000


def measure(slices: int, repeats: int) -> list[float]:
    """Return the seconds of each visit; the first WARMING are not warm."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        settings = {"APPLIANCE__WEB__OHIF": str(ohif.folder()), "APPLIANCE__LOG__LEVEL": "WARNING"}
        with Appliance(Path(name) / "home", settings) as box:
            box.command("init")
            study_uid = stored_study(box, Path(name) / "files", slices)
            box.start("web")
            box.wait_ready("web")
            with returning(Path(name) / "profile", box.url) as visit:
                return list(first_pictures(visit, study_uid, repeats))


def main() -> None:
    """Print the cold visit, the warm ones and their median."""
    parser = argparse.ArgumentParser(description="Seconds from navigation to the first picture in OHIF.")
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    seconds = measure(options.slices, options.repeats)
    cold, warm = seconds[0], seconds[WARMING:]
    print(f"\nFirst picture of a CT of {options.slices} slices in OHIF, seconds after navigation")
    print(f"  cold cache       {cold:.2f}")
    print(f"  warm cache       {' '.join(f'{each:.2f}' for each in warm)}")
    print(f"  median           {statistics.median(warm):.2f}   (target {TARGET_SECONDS})")


if __name__ == "__main__":
    main()
