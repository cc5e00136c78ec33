"""OHIF as a reader drives it: where its build is kept, and a page with a study in it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ohif_build.building import build, is_built
from playwright.sync_api import Locator

from tests.partners.chromium import Visit

BUILD_SECONDS: Final = 300.0
NO_NODE: Final = "OHIF IS NOT TESTED HERE: there is no Node (apt-get install nodejs npm, then make test-setup)"
CANVAS: Final = "canvas.cornerstone-canvas"
# The centre pixel and the number of colours of one viewport, drawn into a canvas that can be read.
PROBE: Final = """
(number) => {
  const canvas = document.querySelectorAll('canvas.cornerstone-canvas')[number];
  if (!canvas || !canvas.width || !canvas.height) return { centre: [0, 0, 0], levels: 0 };
  const copy = document.createElement('canvas');
  copy.width = canvas.width;
  copy.height = canvas.height;
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0);
  const data = context.getImageData(0, 0, copy.width, copy.height).data;
  const levels = new Set();
  for (let at = 0; at < data.length; at += 4) levels.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
  const middle = 4 * (Math.floor(copy.height / 2) * copy.width + Math.floor(copy.width / 2));
  return { centre: [...data.slice(middle, middle + 3)], levels: levels.size };
}
"""
# An image, and not the few colours of a viewport that waits for one.
LEAST_LEVELS: Final = 8


def missing() -> str:
    """Why OHIF cannot be tested on this machine, "" when it can. A machine with Node must be able to."""
    return "" if is_built() or shutil.which("npm") else NO_NODE


def folder() -> Path:
    """Return the folder of the build; builds it when `make test-setup` has not."""
    return build(BUILD_SECONDS, print)


@dataclass(frozen=True)
class Pixels:
    """What a viewport shows: its centre as (red, green, blue), and how many colours there are."""

    centre: tuple[int, int, int]
    levels: int


class Reader:
    """A person in front of OHIF."""

    def __init__(self, visit: Visit) -> None:
        """Nothing is open yet."""
        self.visit = visit
        self.page = visit.page

    def open(self, *study_uids: str, options: str = "") -> None:
        """Go to the viewer's page; `options` are further query parameters, such as `&hangingProtocolId=mpr`."""
        self.visit.open(f"/ohif/viewer?StudyInstanceUIDs={','.join(study_uids)}{options}")

    def wait_for_image(self, viewport: int = 0, levels: int = LEAST_LEVELS) -> Pixels:
        """Wait until a viewport shows a picture; return what it shows."""
        self.page.wait_for_function(f"([number, levels]) => ({PROBE})(number).levels >= levels", arg=[viewport, levels])
        return self.pixels(viewport)

    def wait_for_centre(self, low: int, high: int, viewport: int = 0) -> Pixels:
        """Wait until the grey value in the middle of a viewport lies within bounds."""
        condition = "([number, low, high]) => ((grey) => grey >= low && grey <= high)"
        self.page.wait_for_function(f"{condition}(({PROBE})(number).centre[0])", arg=[viewport, low, high])
        return self.pixels(viewport)

    def pixels(self, viewport: int = 0) -> Pixels:
        """What a viewport shows at this moment."""
        found: dict[str, Any] = self.page.evaluate(PROBE, viewport)
        red, green, blue = found["centre"]
        return Pixels((red, green, blue), found["levels"])

    def wait_for_text(self, text: str) -> None:
        """Wait until a text stands somewhere on the page."""
        self.page.get_by_text(text).first.wait_for()

    def control(self, name: str) -> Locator:
        """A control or display by the name OHIF gives it (data-cy)."""
        return self.page.locator(f'[data-cy="{name}"]').first

    def middle(self, viewport: int = 0) -> tuple[float, float]:
        """The middle of a viewport on the page."""
        box = self.page.locator(CANVAS).nth(viewport).bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(self, start: tuple[float, float], across: float, down: float) -> None:
        """Press at a place, move by some pixels, let go."""
        x, y = start
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + across, y + down, steps=5)
        self.page.mouse.up()
