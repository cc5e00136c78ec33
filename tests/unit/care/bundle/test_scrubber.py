"""The second fence: what stands in a patient's columns is found however it is written, and nothing else."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest

from appliance.care.bundle.scrubber import Texts
from tests.archives import new_archive, sender
from tests.builders.instances import ct, part10

LINES = (
    "2026-11-22T09:36:32.763Z [info     ] stored sop_uid=uid-1 name=Quimbleton^Xanthippe",
    "file /mnt/usb/QUIMBLETON_XANTHIPPE.dcm is no DICOM file",
    "file /mnt/usb/xanthippe-quimbleton/1.dcm",
    "file /mnt/usb/XanthippeQuimbleton19130417.dcm",
    "GET /dicom-web/studies?PatientName=Quimbleton%5EX*",
    "GET /studies?00100010=%51uimbleton",
    "GET /studies?PatientID=PLANT-PID-77341&limit=1",
    "pid plantpid77341 again",
    "accession PLACC90210.",
    "born 1913-04-17",
    "born 19130417",
    r"name \u0051uimbleton",
    r"name \x51uimbleton",
    f"token {base64.b64encode(b'PatientName=Quimbleton').decode()}",
    f"payload {base64.urlsafe_b64encode('王小東'.encode('gb18030')).decode()}",
    f"payload {base64.b64encode('小東さん'.encode()).decode()}",
    "name 王小東",
    f"q={quote('王小東')}",
    f"q={quote('王小東'.encode('gb18030'))}",
    "name M\u00fcller of whom nobody knows",
    "born 17.04.1913",
    "born 4/17/1913",
    "born 17 April 1913",
    "born Apr 17, 1913",
    "born 1913-04-17T00:00:00Z",
    "name Joerg-Mueller",
    "name jorg muller",
    "name J&ouml;rg",
    "name &#81;uimbleton",
    "name %2551uimbleton",
    "name %u0051uimbleton",
    r"name \121uimbleton",
    r"name \U00000051uimbleton",
    f"name {b'Quimbleton'.hex()}",
    "file /mnt/usb/XanthippeQuimbletonCT001.dcm",
    "file /mnt/usb/QUIMBLET.DCM",
    "study Zwerchfellhochstand, planted",
    f"uid in {base64.b64encode(b'1.2.826.0.1.3680043.8.498.1').decode()}",
)
HARMLESS = (
    "2026-11-22T09:36:32.763Z [info     ] door open ports=[11112] ae_title=APPLIANCE",
    "2021-04-17T10:00:00Z a moment is nobody's birthday",
    "sink outbound is open: cannot connect: Connection refused",
    "stored sop_uid=1.2.826.0.1.3680043.8.498.1 bytes=77341",
    "/usr/lib/dicom-edge-appliance/venv/bin/python: 3.11.2",
)


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    """The lines, compared with a home of two patients."""
    archive = new_archive(tmp_path / "home")
    for name, charset in (
        ("Quimbleton^Xanthippe", "ISO_IR 192"),
        ("Wang^XiaoDong=王^小東", "ISO_IR 192"),
        ("Müller^Jörg", "ISO_IR 192"),
    ):
        dataset = ct(
            PatientName=name, SpecificCharacterSet=charset, PatientID="PLANT-PID-77341", PatientBirthDate="19130417",
            AccessionNumber="PLACC90210", StudyDescription="Zwerchfellhochstand planted",
        )  # fmt: skip
        archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
    found = Texts()
    for line in (*LINES, *HARMLESS):
        found.take(line)
    with archive.database.read() as cx:
        found.compare(cx)
    archive.close()
    return found


def test_every_line_about_the_patient_is_told(texts: Texts) -> None:
    assert [line for line in LINES if not texts.tells(line)] == []


def test_no_other_line_is(texts: Texts) -> None:
    assert [line for line in HARMLESS if texts.tells(line)] == []
