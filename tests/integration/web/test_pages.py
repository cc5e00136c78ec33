"""The pages of a running room, as a browser without JavaScript sees them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from tests.builders.instances import ct, series
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance

VOID = {"meta", "link", "img", "input", "br", "hr", "option"}


class Outline(HTMLParser):
    """Checks that elements close in order, and notes links and inline code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        named = dict(attrs)
        self.links += [value for name, value in attrs if name in ("href", "src") and value]
        self.inline += [name for name in named if name.startswith("on") or name == "style"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the element that must be open."""
        assert self.open.pop() == tag


def page(web: WebClient, path: str, language: str = "en") -> str:
    answer = web.get(path, "text/html", Accept_Language=language)
    assert answer.status_code == 200
    outline = Outline(answer.text)
    assert outline.open == []
    assert outline.inline == []
    assert all(link.startswith(("/", "#")) for link in outline.links)
    assert re.findall(r"<script(?![^>]*src=)|<style", answer.text) == []
    return answer.text


def test_the_list_finds_a_study_by_what_people_know(web: WebClient) -> None:
    dataset = ct(
        PatientName="Li^Na=李^娜",
        PatientID="PAGE-1",
        AccessionNumber="PAGE-A",
        StudyDate="20240309",
        Modality="US",
    )
    web.keep(dataset)
    link = f'href="/studies/{dataset.StudyInstanceUID}"'
    for query in (
        "name=娜",
        "name=li+na",
        "patient_id=PAGE-1",
        "accession=PAGE-A",
        "date_from=2024-03-09&date_to=2024-03-09",
    ):
        assert link in page(web, f"/?{query}"), query
    assert link in page(web, "/?modality=us&patient_id=PAGE")
    assert "李 娜 (Li Na)" in page(web, "/?name=娜")
    assert "No study matches." in page(web, "/?name=娜&modality=MR")


def test_a_field_that_cannot_be_searched_for_is_named_and_nothing_else_is_said(web: WebClient) -> None:
    for query, words in (
        ("date_from=someday", "someday is no date"),
        ("date_to=2024-02-31", "2024-02-31 is no date"),
        ("date_from=2024-02-02&date_to=2024-02-01", "The first date is later than the last."),
    ):
        text = page(web, f"/?{query}")
        assert words in text
        assert "No study matches." not in text
        assert "Nothing has arrived" not in text


def test_a_study_whose_bytes_are_gone_is_not_called_held(web: WebClient, appliance: Appliance) -> None:
    slices = list(series(2, PatientID="LOST-BYTES"))
    web.keep(*slices)
    next((appliance.home / "archive").rglob(f"*{slices[0].StudyInstanceUID}/**/*.dcm")).unlink()
    appliance.command("fsck", "--repair", check=False)
    for path in ("/?patient_id=LOST-BYTES", f"/studies/{slices[0].StudyInstanceUID}"):
        text = page(web, path)
        assert "1 of 2 held here" in text
        assert ">held here<" not in text


def test_the_list_has_pages(web: WebClient) -> None:
    for _ in range(26):
        web.keep(ct(PatientID="PAGING"))
    first = page(web, "/?patient_id=PAGING")
    assert "26 studies" in first
    assert "Page 1 of 2" in first
    assert 'href="/?patient_id=PAGING&amp;page=2"' in first
    second = page(web, "/?patient_id=PAGING&page=2")
    assert second.count('href="/studies/') == 1
    beyond = page(web, "/?patient_id=PAGING&page=99")
    assert "There is no page 99." in beyond
    assert 'href="/?patient_id=PAGING&amp;page=2"' in beyond
    assert "No study matches." not in beyond
    assert "Nothing has arrived" not in page(web, "/?page=99999")


def test_a_study_page_shows_its_series_and_where_to_get_them(web: WebClient) -> None:
    slices = list(series(3, StudyDescription="Thorax nativ"))
    web.keep(*slices)
    study = slices[0].StudyInstanceUID
    text = page(web, f"/studies/{study}")
    assert "Thorax nativ" in text
    assert "Thin slices" in text
    assert "0 of 3 sent to outbound" in text
    for path in (
        f"/dicom-web/studies/{study}/metadata",
        f"/dicom-web/studies/{study}?accept=application/zip",
    ):
        assert f'href="{path}"' in text
        assert web.get(path, "text/html,*/*;q=0.8").status_code == 200
    for path in re.findall(r'href="(/dicom-web/[^"]+)"', text):
        assert web.get(path, "text/html,*/*;q=0.8").status_code == 200, path


def test_an_absent_study_is_said_to_be_absent(web: WebClient) -> None:
    for path in ("/studies/1.2.3.4", "/studies/not-a-uid"):
        answer = web.get(path)
        assert answer.status_code == 404
        assert "This study is not here" in answer.text


def test_markup_in_patient_data_is_text(web: WebClient) -> None:
    hostile = "<script>alert(1)</script>"
    dataset = ct(PatientName=f"{hostile}^X", PatientID="MARKUP", StudyDescription=hostile)
    web.keep(dataset)
    for path in ("/?patient_id=MARKUP", f"/studies/{dataset.StudyInstanceUID}", f"/?name={hostile}"):
        assert "<script>alert" not in page(web, path)


def test_the_pages_speak_the_browsers_language_and_remember_another(web: WebClient) -> None:
    assert "检查列表" in page(web, "/", "zh-CN,zh;q=0.9")
    assert "Patient name" in page(web, "/", "de")
    chosen = web.get("/?lang=zh-Hans", Accept_Language="en")
    assert "检查列表" in chosen.text
    assert "HttpOnly" in chosen.headers["Set-Cookie"]
    assert "检查列表" in page(web, "/")


def test_every_file_of_the_pages_is_served(web: WebClient) -> None:
    static = Path(__file__).resolve().parents[3] / "appliance" / "web" / "static"
    for file in static.iterdir():
        assert web.get(f"/static/{file.name}").content == file.read_bytes()
    assert web.get("/static/../main.py").status_code == 404
