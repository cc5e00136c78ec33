"""Export: a medium that other programs read."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread

from tests.builders.instances import part10, series
from tests.builders.papers import content, pdf, structured_report
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance
from tests.partners.dcmtk import run


def exported(web: WebClient, study_uid: str, folder: Path) -> list[str]:
    answer = web.get(f"/studies/{study_uid}/export")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{study_uid}-disc.zip"'
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
        return archive.namelist()


def test_files_are_as_stored_and_the_directory_names_them_all(web: WebClient, tmp_path: Path) -> None:
    whose: dict[str, Any] = {"PatientName": "Li^Na=李^娜", "PatientID": "DISC-1"}
    slices = list(series(3, **whose))
    study = str(slices[0].StudyInstanceUID)
    report = structured_report([content("TEXT", "Finding", TextValue="None")], StudyInstanceUID=study, **whose)
    letter = pdf(StudyInstanceUID=study, **whose)
    web.keep(*slices, report, letter)
    names = exported(web, study, tmp_path)
    assert names[:2] == ["DICOMDIR", "README.TXT"]
    files = [name for name in names if name.startswith("DICOM/")]
    assert names[-1] == "INDEX.HTM"
    assert len(files) == 5
    for name in files:
        assert all(len(part) <= 8 and part.isalnum() and part.upper() == part for part in name.split("/"))
    records = dcmread(tmp_path / "DICOMDIR").DirectoryRecordSequence
    named = {"/".join(record.ReferencedFileID): record for record in records if "ReferencedFileID" in record}
    assert set(named) == set(files)
    for name, record in named.items():
        data = dcmread(tmp_path / name)
        assert record.ReferencedSOPInstanceUIDInFile == data.SOPInstanceUID
        assert record.ReferencedTransferSyntaxUIDInFile == data.file_meta.TransferSyntaxUID
    kinds = {str(record.DirectoryRecordType): record for record in records}
    assert set(kinds) == {"PATIENT", "STUDY", "SERIES", "IMAGE", "SR DOCUMENT", "ENCAP DOC"}
    assert str(kinds["PATIENT"].PatientName) == "Li^Na=李^娜"
    assert kinds["SR DOCUMENT"].ConceptNameCodeSequence[0].CodeMeaning == "Chest report"
    assert kinds["ENCAP DOC"].MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert (tmp_path / files[0]).read_bytes()[-500:] in [part10(one)[-500:] for one in (*slices, report, letter)]


def test_dcmtk_reads_the_directory_as_it_reads_its_own(web: WebClient, tmp_path: Path) -> None:
    slices = list(series(4, PatientID="DISC-2"))
    web.keep(*slices)
    exported(web, str(slices[0].StudyInstanceUID), tmp_path)
    ours = run("dcmdump", "+P", "DirectoryRecordType", tmp_path / "DICOMDIR").stdout.splitlines()
    assert run("dcmdump", tmp_path / "DICOMDIR").stderr == ""
    run("dcmmkdir", "+r", "+id", tmp_path, "+D", tmp_path / "THEIRS", "-Nrc", "-Nxc", "+I", "DICOM")
    theirs = run("dcmdump", "+P", "DirectoryRecordType", tmp_path / "THEIRS").stdout.splitlines()
    assert ours == theirs
    # Appending to it is how dcmtk proves that the links between the records hold.
    run("dcmmkdir", "+A", "-nb", "+r", "+id", tmp_path, "+D", tmp_path / "DICOMDIR", "-Nrc", "-Nxc", "+I", "DICOM")


def test_what_is_not_held_is_said_on_the_medium(web: WebClient, appliance: Appliance, tmp_path: Path) -> None:
    slices = list(series(2, PatientID="DISC-3"))
    web.keep(*slices)
    study = str(slices[0].StudyInstanceUID)
    next((appliance.home / "archive").rglob(f"*{study}/**/*.dcm")).unlink()
    appliance.command("fsck", "--repair", check=False)
    names = exported(web, study, tmp_path)
    assert sum(name.startswith("DICOM/") for name in names) == 1
    assert "1 objects of the study are not on this medium" in (tmp_path / "README.TXT").read_text("utf-8-sig")


def test_a_pc_without_a_viewer_finds_previews_and_reports(web: WebClient, tmp_path: Path) -> None:
    whose: dict[str, Any] = {"PatientName": "Li^Na=李^娜", "PatientID": "DISC-4"}
    slices = list(series(3, SeriesDescription="<Axial>", **whose))
    study = str(slices[0].StudyInstanceUID)
    finding = [content("TEXT", "Finding", TextValue="No fracture")]
    report = structured_report(finding, StudyInstanceUID=study, **whose)
    web.keep(*slices, report, pdf(StudyInstanceUID=study, **whose))
    names = exported(web, study, tmp_path)
    text = (tmp_path / "INDEX.HTM").read_text("utf-8")
    previews = [name for name in names if name.startswith("PREVIEW/")]
    assert sorted(name[-3:] for name in previews) == ["HTM", "JPG", "JPG", "JPG", "PDF"]
    assert all(f'href="{name}"' in text for name in previews)
    assert all(len(part.split(".")[0]) <= 8 for name in previews for part in name.split("/"))
    assert "Not for primary diagnosis" in text
    assert "不可用于主要诊断" in text
    assert "李 娜 (Li Na)" in text
    assert "&lt;Axial&gt;" in text
    assert "<script" not in text
    (written,) = [name for name in previews if name.endswith("HTM")]
    assert "No fracture" in (tmp_path / written).read_text("utf-8")
    readme = (tmp_path / "README.TXT").read_text("utf-8-sig")
    assert "NOT FOR PRIMARY DIAGNOSIS" in readme
    assert "不可用于主要诊断" in readme


def test_previews_can_be_left_out(web: WebClient) -> None:
    slices = list(series(2, PatientID="DISC-5"))
    web.keep(*slices)
    answer = web.get(f"/studies/{slices[0].StudyInstanceUID}/export?previews=no")
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert len(archive.namelist()) == 4


def test_there_is_no_export_of_what_is_not_here(web: WebClient) -> None:
    assert web.get("/studies/1.2.3.4/export").status_code == 404
    assert web.get("/studies/no-uid/export").status_code == 400
