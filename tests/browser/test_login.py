"""Logging in with a real browser: by keyboard, without scripts, under the pages' own policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visitor
from tests.partners.appliance import Appliance
from tests.partners.chromium import VIEWPORT

PASSWORD = "a good long sentence"
CODE = re.compile(r"Set-up code: (\S+)")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A box that wants a login and has a viewer, ann."""
    folder = tmp_path_factory.mktemp("login")
    written = folder / "password"
    written.write_text(f"{PASSWORD}\n")
    with Appliance(folder / "home", {"APPLIANCE__WEB__LOGIN": "required"}) as started:
        started.command("init")
        started.command("user", "add", "ann", "--role", "viewer", "--password-file", str(written))
        started.start("web")
        started.wait_ready("web")
        yield started


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_keys_alone_lead_through_login_and_logout(box: Appliance, visit: Visitor, locale: str) -> None:
    looked = visit(box.url, locale=locale)
    page = looked.page
    looked.open("/?modality=CT")
    expect(page).to_have_url(re.compile("/login"))
    expect(page.locator("#name")).to_be_focused()
    found = Axe().run(page)
    assert not [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
    looked.screenshot(f"login-{locale}")
    page.keyboard.type("ann")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{box.url}/?modality=CT")
    page.locator(".person button").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{box.url}/login")
    page.go_back()
    expect(page).to_have_url(re.compile("/login"))
    looked.check()


def test_the_forms_work_without_scripts(box: Appliance, browser: Browser) -> None:
    context = browser.new_context(viewport=VIEWPORT, java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{box.url}/login")
        page.fill("#name", "ann")
        page.fill("#password", "a wrong long sentence")
        page.click("button[type=submit]")
        expect(page.get_by_role("alert")).to_have_text("Name or password is not right.")
        page.fill("#password", PASSWORD)
        page.click("button[type=submit]")
        expect(page).to_have_url(f"{box.url}/")
        (cookie,) = [cookie for cookie in context.cookies() if cookie["name"] == "appliance"]
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)
        page.click(".person a")
        page.fill("#old", PASSWORD)
        page.fill("#new", "another long sentence")
        page.fill("#again", "another short sentence")
        page.click("main button[type=submit]")
        expect(page.get_by_role("alert")).to_have_text("The two passwords are not the same.")
    finally:
        context.close()


def test_whoever_has_the_code_sets_up_the_first_account(tmp_path: Path, visit: Visitor) -> None:
    with Appliance(tmp_path / "home", {"APPLIANCE__WEB__LOGIN": "required"}) as fresh:
        found = CODE.search(fresh.command("init").stdout)
        assert found is not None
        fresh.start("web")
        fresh.wait_ready("web")
        looked = visit(fresh.url)
        looked.open("/login")
        looked.page.get_by_role("link", name="Set up the first account").click()
        for field, text in (("code", found[1]), ("name", "root"), ("new", PASSWORD), ("again", PASSWORD)):
            looked.page.fill(f"#{field}", text)
        looked.page.keyboard.press("Enter")
        expect(looked.page).to_have_url(f"{fresh.url}/")
        expect(looked.page.locator(".person a")).to_have_text("root")
        looked.check()
