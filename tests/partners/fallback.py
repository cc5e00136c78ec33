"""The fallback viewer as a reader sees it: pictures by what is on the screen, not by what a script says."""

from __future__ import annotations

from io import BytesIO

from PIL import Image
from playwright.sync_api import Locator

from tests.partners.chromium import Visit


class Fallback:
    """The viewer on one page of a browser."""

    def __init__(self, visit: Visit) -> None:
        """Take a page; nothing is open yet."""
        self.visit = visit
        self.page = visit.page

    def open(self, study_uid: str, more: str = "") -> None:
        """Open a study and wait for what it shows first."""
        self.visit.open(f"/viewer/{study_uid}{more}")
        self.page.wait_for_selector('[data-stack][aria-current="true"]')

    def pane(self, number: int = 1) -> Locator:
        """Return a picture area, counted from 1."""
        return self.page.locator(".pane").nth(number - 1)

    def wait_shown(self, words: str, number: int = 1) -> None:
        """Wait until the exact picture of an address that holds `words` is drawn and nothing is under way."""
        pane = self.pane(number)
        self.page.wait_for_function(
            "([pane, words]) => (pane.dataset.shown || '').includes(words) && !pane.classList.contains('waits')",
            arg=[pane.element_handle(), words],
        )

    def wait_label(self, text: str, number: int = 1) -> None:
        """Wait for the line below the picture to say something."""
        self.pane(number).locator(".label").filter(has_text=text).wait_for()

    def grey(self, x: float = 0.5, y: float = 0.5, number: int = 1) -> tuple[int, int, int]:
        """Return the colour on the screen at a place of a pane, given as fractions of its sides."""
        picture = Image.open(BytesIO(self.pane(number).screenshot())).convert("RGB")
        red, green, blue = picture.getpixel((int(picture.width * x), int(picture.height * y)))  # type: ignore[misc]
        return int(red), int(green), int(blue)

    def drag(self, right: int, down: int, *, button: str = "left") -> None:
        """Drag from the middle of the first pane."""
        box = self.pane().bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down(button=button)  # type: ignore[arg-type]
        self.page.mouse.move(x + right, y + down, steps=5)
        self.page.mouse.up(button=button)  # type: ignore[arg-type]
