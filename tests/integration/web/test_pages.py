"""The pages of a running room, as a browser without JavaScript sees them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from tests.builders.instances import ct, part10, series
from tests.builders.papers import pdf
from tests.integration.web.client import WebClient, stow_body
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
        if tag not in VOID:
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
        StudyDescription="Schädel nativ",
        Modality="US",
    )
    web.keep(dataset)
    link = f'href="/studies/{dataset.StudyInstanceUID}"'
    for query in (
        "name=娜",
        "name=li+na",
        "name=Ná,LI",
        "patient_id=PAGE-1",
        "patient_id=page-1",
        "accession=PAGE-A",
        "accession=age-a",
        "description=NATIV+schadel",
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
        assert "1 of 2 lost on this box" in text
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


def test_a_study_page_names_documents_and_the_patients_other_studies(web: WebClient) -> None:
    now = ct(PatientID="PAGE*7", StudyDate="20240101")
    letter = pdf(PatientID="PAGE*7", StudyInstanceUID=now.StudyInstanceUID, SeriesDescription="Letter")
    before = ct(PatientID="PAGE*7", StudyDate="20200101")
    another = ct(PatientID="PAGE77")
    web.keep(now, letter, before, another)
    text = page(web, f"/studies/{now.StudyInstanceUID}")
    assert f'/viewer/{now.StudyInstanceUID}#instance={letter.SOPInstanceUID}">PDF: Letter' in text
    assert "Other studies of this patient (1)" in text
    assert f'href="/studies/{before.StudyInstanceUID}"' in text
    assert another.StudyInstanceUID not in text


def test_contents_that_contradict_each_other_are_told_on_both_pages(web: WebClient) -> None:
    first = ct(PatientID="PAGE-CONFLICT")
    second = ct(**{element.keyword: element.value for element in first})
    second.StudyDescription = "Altered"
    web.keep(first)
    web.keep(second)
    for path in ("/?patient_id=PAGE-CONFLICT", f"/studies/{first.StudyInstanceUID}"):
        text = page(web, path)
        assert "1 contradict each other" in text
        assert "arrived a second time with different content" in text


def test_what_became_of_stored_objects_is_told(web: WebClient) -> None:
    body = stow_body(part10(ct(PatientID="PAGE-TWICE")))
    assert web.stow(body).headers["Stored-As"] == "stored=1"
    assert web.stow(body).headers["Stored-As"] == "duplicate=1"


def test_the_viewers_page_and_its_data(web: WebClient) -> None:
    slices = list(series(3, PatientID="PAGE-VIEW"))
    web.keep(*slices)
    study = slices[0].StudyInstanceUID
    assert "Not for primary diagnosis" in page(web, f"/viewer/{study}")
    assert "frame-src 'self'" in web.get(f"/viewer/{study}").headers["Content-Security-Policy"]
    found = web.get(f"/api/v1/studies/{study}/stacks").json()
    assert [sop for sop, *_ in found["stacks"][0]["instances"]] == [one.SOPInstanceUID for one in slices]
    assert found["study"]["patientId"] == "PAGE-VIEW"
    assert web.get("/viewer/1.2.3.4").status_code == 404
    assert web.get("/api/v1/studies/1.2.3.4/stacks").status_code == 404
    page(web, "/upload")


def test_images_that_no_decoder_can_read_are_named_with_the_reason(web: WebClient, appliance: Appliance) -> None:
    dataset = ct(PatientID="PAGE-LOST", SeriesDescription="Axial", InstanceNumber=7)
    web.keep(dataset)
    study = dataset.StudyInstanceUID
    assert "cannot be shown here" not in page(web, f"/studies/{study}")
    archive = Archive.open(ArchiveSettings(home=appliance.home), "test")
    try:
        (stored,) = archive.reading.instances(study)
        archive.transcodes.note(stored.version_id, 1, "timed_out", "decoding took longer than it may and was ended")
    finally:
        archive.close()
    text = page(web, f"/studies/{study}")
    assert "Images that cannot be shown here (1)" in text
    assert re.search(r"Axial 7</a> decoding it took too long", text)
    assert "解码时间过长" in page(web, f"/studies/{study}", "zh-CN")
    assert "1 images of this study cannot be shown here." in page(web, f"/viewer/{study}")


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
    for file in (path for path in static.rglob("*") if path.is_file()):
        assert web.get(f"/static/{file.relative_to(static).as_posix()}").content == file.read_bytes()
    assert web.get("/static/../main.py").status_code == 404


def test_a_line_that_is_down_is_told_on_every_page_with_what_it_means(web: WebClient, appliance: Appliance) -> None:
    dataset = ct(PatientID="PAGE-OUTAGE")
    web.keep(dataset)
    archive = Archive.open(ArchiveSettings(home=appliance.home), "test")
    try:
        archive.outbox.breaker("outbound", "open", "no route")
        for path in ("/", f"/studies/{dataset.StudyInstanceUID}", f"/viewer/{dataset.StudyInstanceUID}", "/upload"):
            text = page(web, path)
            assert "The line to outbound has been down since 20" in text, path
            assert "You can go on reading" in text
        assert "线路自" in page(web, "/", "zh-CN")
        archive.outbox.breaker("outbound", "closed", "")
        assert "has been down" not in page(web, "/")
    finally:
        archive.close()
