"""Debian's Chromium, without a display or a graphics card, driven by playwright: what a reading PC would show.

A `Visit` is one page that remembers what must never happen: a request to another host, a report of the
Content Security Policy, an error on the console.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, ViewportSize, sync_playwright

EXECUTABLE: Final = "/usr/bin/chromium"
SCREENSHOTS: Final = Path(__file__).resolve().parents[2] / "build" / "screenshots"
# SwiftShader: WebGL2 in software. No sandbox: the tests may run as root, and visit nothing but loopback.
FLAGS: Final = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--no-pings",
)
# A reading PC whose graphics card or driver has no WebGL.
WITHOUT_WEBGL: Final = ("--disable-3d-apis",)
VIEWPORT: Final[ViewportSize] = {"width": 1280, "height": 800}
PATIENCE_SECONDS: Final = 15.0
# Schemes that never leave the browser.
INTERNAL: Final = frozenset({"data", "blob", "about", "chrome", "chrome-error", "chrome-extension"})
_POLICY = re.compile("content security policy|content-security-policy", re.IGNORECASE)
_REPORTER = """
window.__violations = [];
document.addEventListener('securitypolicyviolation', (event) => {
  window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
"""


@dataclass
class Visit:
    """One page, and what it did. `url` is the only host it may ask: scheme, name and port."""

    page: Page
    url: str
    foreign: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen to the page, before it loads anything."""
        self.page.set_default_timeout(PATIENCE_SECONDS * 1000)
        self.page.add_init_script(_REPORTER)
        self.page.context.on("request", lambda request: self._note_request(request.url))
        self.page.context.on("requestfailed", lambda request: self._note_request(request.url))
        self.page.on("websocket", lambda socket: self._note_request(socket.url))
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, path: str) -> None:
        """Go to a path of the appliance and wait for the document."""
        self.page.goto(self.url + path, wait_until="domcontentloaded")

    def screenshot(self, name: str) -> Path:
        """Keep what is to be seen as build/screenshots/NAME.png."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def policy_reports(self) -> list[str]:
        """Every violation of a Content Security Policy, of the page and (by the console) of its workers."""
        frames = [*self.page.frames]
        return [*self.violations, *(text for frame in frames for text in frame.evaluate("window.__violations || []"))]

    def check(self, *, allowed_errors: Sequence[str] = ()) -> None:
        """Fail when the page asked another host, broke its policy, or reported an error not in `allowed_errors`.

        `allowed_errors` are regular expressions.
        """
        assert self.foreign == []
        assert self.policy_reports() == []
        assert [text for text in self.errors if not any(re.search(known, text) for known in allowed_errors)] == []

    def _note_request(self, url: str) -> None:
        parts = urlsplit(url)
        own = urlsplit(self.url).netloc
        if parts.scheme not in INTERNAL and parts.netloc != own and url not in self.foreign:
            self.foreign.append(url)

    def _note_console(self, message: ConsoleMessage) -> None:
        if _POLICY.search(message.text):
            self.violations.append(message.text)
        elif message.type == "error":
            self.errors.append(message.text)


@contextmanager
def chromium(*more_flags: str) -> Iterator[Browser]:
    """Start a browser; it ends with the context. In a process that has a driver already: `launched`."""
    with sync_playwright() as driver, launched(driver, *more_flags) as browser:
        yield browser


@contextmanager
def launched(driver: Playwright, *more_flags: str) -> Iterator[Browser]:
    """Start a browser with a driver, of which a thread can have one."""
    browser = driver.chromium.launch(executable_path=_executable(), args=[*FLAGS, *more_flags], env=_environment())
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def returning(profile: Path, url: str) -> Iterator[Visit]:
    """Open a page in a browser with a profile on disk: with a cache, also of compiled scripts, as on a reading PC."""
    with sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            profile, executable_path=_executable(), args=[*FLAGS], env=_environment(), viewport=VIEWPORT
        )
        try:
            yield Visit(context.new_page(), url)
        finally:
            context.close()


def _executable() -> str:
    assert Path(EXECUTABLE).exists(), f"{EXECUTABLE} is missing: make test-setup installs it"
    return EXECUTABLE


def _environment() -> dict[str, str | float | bool]:
    """Without a proxy of the machine, which must not carry, or forge, what the browser says to the appliance."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


@contextmanager
def visiting(browser: Browser, url: str, *, locale: str = "en-US", accept_downloads: bool = True) -> Iterator[Visit]:
    """Open a fresh page, with no cookies and an empty cache, for the appliance at `url`."""
    context = browser.new_context(
        viewport=VIEWPORT,
        locale=locale,
        accept_downloads=accept_downloads,
        service_workers="block",
        ignore_https_errors=True,
    )
    try:
        yield Visit(context.new_page(), url)
    finally:
        context.close()
