"""QIDO-RS against a running room: what was stored is found by what people know of it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from dicomweb_client import DICOMwebClient
from pydicom import Dataset
from pydicom.uid import generate_uid

from appliance.archive.database import Database
from tests.builders.instances import ct, encode, part10_of, series
from tests.integration.web.client import WebClient, read_parts, stow_body
from tests.partners.appliance import Appliance

STUDY_UID, NAME, RETRIEVE_URL = "0020000D", "00100010", "00081190"


def uids(found: list[dict[str, dict[str, list[str]]]], tag: str = STUDY_UID) -> list[str]:
    return [row[tag]["Value"][0] for row in found]


def test_a_known_client_searches_at_every_level(appliance: Appliance, web: WebClient) -> None:
    slices = list(series(3, PatientID="LEVELS", PatientName="Yamada^Taro=山田^太郎"))
    web.keep(*slices)
    client = DICOMwebClient(appliance.dicomweb)
    study, one = str(slices[0].StudyInstanceUID), str(slices[0].SeriesInstanceUID)
    (found,) = client.search_for_studies(search_filters={"PatientID": "LEVELS"})
    assert found["00201208"]["Value"] == [3]
    assert found[NAME]["Value"] == [{"Alphabetic": "Yamada^Taro", "Ideographic": "山田^太郎"}]
    assert uids(client.search_for_series(study)) == [study]
    assert len(client.search_for_instances(study)) == 3
    assert len(client.search_for_instances(study, one, limit=2)) == 2
    assert len(client.search_for_instances(search_filters={"PatientID": "LEVELS"})) == 3
    assert len(client.search_for_series(search_filters={"PatientID": "LEVELS", "Modality": "CT"})) == 1


def test_a_retrieve_url_names_the_host_and_port_the_caller_used(appliance: Appliance, web: WebClient) -> None:
    web.keep(ct(PatientID="URL"))
    (row,) = web.search("/studies", PatientID="URL")
    assert row[RETRIEVE_URL]["Value"][0].startswith(f"{appliance.dicomweb}/studies/")
    answer = web.get("/dicom-web/instances?PatientID=URL", Host="localhost")
    assert answer.json()[0][RETRIEVE_URL]["Value"][0].startswith(
        f"http://localhost:{appliance.web_port}/dicom-web/studies/"
    )


NAMES = [
    ("GB18030", "张^三丰", "gb18030", "三"),
    ("", "Ünal^Çağ", "utf-8", "ünal"),
    ("ISO_IR 203", "Œuvre^Zoë", "iso8859-15", "œuv"),
    ("ISO_IR 192", "김^희중", "utf-8", "희중"),
    ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ", "shift_jis", "ヤマ"),
]


@pytest.mark.parametrize(("declared", "name", "codec", "part"), NAMES)
def test_names_in_any_script_are_found_by_a_part_and_shown_right(
    web: WebClient, declared: str, name: str, codec: str, part: str
) -> None:
    uid = generate_uid()
    dataset = ct(SpecificCharacterSet=None, PatientName="X" * 8, StudyInstanceUID=uid)
    raw = name.encode(codec)
    value = raw + b" " * (len(raw) % 2)
    data = encode(dataset).replace(b"PN\x08\x00XXXXXXXX", b"PN" + len(value).to_bytes(2, "little") + value)
    if declared:
        term = declared.encode().ljust(len(declared) + len(declared) % 2)
        data = b"\x08\x00\x05\x00CS" + len(term).to_bytes(2, "little") + term + data
    file = part10_of(data, "1.2.840.10008.1.2.1", sop_class_uid=dataset.SOPClassUID, sop_uid=dataset.SOPInstanceUID)
    assert web.stow(stow_body(file)).status_code == 200
    (row,) = web.search("/studies", PatientName=f"*{part}*", StudyInstanceUID=uid)
    assert row[NAME]["Value"] == [{"Alphabetic": name}]
    (metadata,) = web.search(f"/studies/{uid}/metadata")
    assert metadata[NAME]["Value"] == [{"Alphabetic": name}]


def test_nothing_found_has_no_content(appliance: Appliance, web: WebClient) -> None:
    for accept in ("application/dicom+json", 'multipart/related; type="application/dicom+xml"'):
        answer = web.get("/dicom-web/studies?PatientID=NOBODY", accept)
        assert (answer.status_code, answer.content) == (204, b"")
    assert DICOMwebClient(appliance.dicomweb).search_for_studies(search_filters={"PatientID": "NOBODY"}) == []


def test_a_limited_answer_says_how_many_remain(web: WebClient) -> None:
    for _ in range(3):
        web.keep(ct(PatientID="MANY"))
    answer = web.get("/dicom-web/studies?PatientID=MANY&limit=1")
    assert len(answer.json()) == 1
    assert answer.headers["Warning"] == (
        '299 dicom-edge-appliance "There are 2 additional results that can be requested"'
    )
    assert "Warning" not in web.get("/dicom-web/studies?PatientID=MANY&limit=1&offset=2").headers
    none = web.get("/dicom-web/studies?PatientID=MANY&limit=0")
    assert (none.status_code, none.json()) == (200, [])
    assert "There are 3 additional results" in none.headers["Warning"]


def test_fuzzy_matching_finds_what_people_type(web: WebClient) -> None:
    uid = str(generate_uid())
    names = {"PatientName": "Müller-Lüdenscheidt^Jörg=山田^太郎", "StudyDescription": "Röntgen THORAX"}
    web.keep(ct(StudyInstanceUID=uid, AccessionNumber="fz-77A", PatientID="FuzzyOne", **names))

    def found(fuzzy: str = "true", **parameters: str) -> bool:
        return bool(web.search("/studies", StudyInstanceUID=uid, fuzzymatching=fuzzy, **parameters))

    for name in ("muller", "jorg mul", "LUDEN", "JÖRG, müller", "山", "太郎", "*udens*"):
        assert found(PatientName=name), name
    assert not any(found(PatientName=name) for name in ("uller", "jorg smith", "org", "川"))
    assert found(StudyDescription="*rontgen*") and found(StudyDescription="RONTGEN thorax")
    assert found(AccessionNumber="*Z-77a*") and found(PatientID="FUZZYONE")
    # Without it the standard asks for the letters as they are (PS3.4 C.2.2.2.1).
    assert not found("false", PatientID="FUZZYONE") and not found("false", StudyDescription="*rontgen*")


def test_attributes_of_the_request_are_found_and_answered(web: WebClient) -> None:
    items = []
    for number in (1, 2):
        item = Dataset()
        item.ScheduledProcedureStepID, item.RequestedProcedureID = f"SPS-{number}", f"RP-{number}"
        items.append(item)
    dataset = ct(RequestAttributesSequence=items)
    other = ct(StudyInstanceUID=dataset.StudyInstanceUID)
    web.keep(dataset, other)
    within = f"/studies/{dataset.StudyInstanceUID}/series"
    for name in ("RequestAttributesSequence.ScheduledProcedureStepID", "00400275.00400009"):
        for text in ("SPS-1", "SPS-2", "SPS-?", "*-2"):
            (row,) = web.search(within, **{name: text})
            assert row["0020000E"]["Value"] == [str(dataset.SeriesInstanceUID)]
        assert web.search(within, **{name: "SPS"}) == []
    assert [item["00400009"]["Value"] for item in row["00400275"]["Value"]] == [["SPS-1"], ["SPS-2"]]
    assert row["00400275"]["Value"][1]["00401001"] == {"vr": "SH", "Value": ["RP-2"]}
    rows = {one["0020000E"]["Value"][0]: one for one in web.search(within)}
    assert rows[str(other.SeriesInstanceUID)]["00400275"] == {"vr": "SQ"}


def test_moments_are_compared_between_time_zones(web: WebClient) -> None:
    moment = {"StudyDate": "20240301", "StudyTime": "013000", "TimezoneOffsetFromUTC": "+0900"}
    uid = str(ct().StudyInstanceUID)
    web.keep(ct(StudyInstanceUID=uid, **moment))

    def found(zone: str, **parameters: str) -> bool:
        return bool(web.search("/studies", StudyInstanceUID=uid, TimezoneOffsetFromUTC=zone, **parameters))

    assert found("+0900", StudyDate="20240301") and not found("+0900", StudyDate="20240229")
    assert found("+0000", StudyDate="20240229") and not found("+0000", StudyDate="20240301")
    assert found("-0500", StudyDate="20240229-20240229", StudyTime="1130-1130")
    assert not found("-0500", StudyDate="20240229", StudyTime="1131-")
    assert found("+0000", StudyDate="-20240229", StudyTime="-163000") and found("+0000", StudyDate="20240229-")


def test_what_is_not_held_is_not_called_available(appliance: Appliance, web: WebClient) -> None:
    first, second = ct(), ct()
    second.StudyInstanceUID = first.StudyInstanceUID
    web.keep(first, second)
    study = f"/studies/{first.StudyInstanceUID}"

    def availability(path: str, **parameters: str) -> list[str]:
        return sorted(row["00080056"]["Value"][0] for row in web.search(path, **parameters))

    assert availability("/studies", StudyInstanceUID=str(first.StudyInstanceUID)) == ["ONLINE"]
    database = Database(appliance.home / "index.db")
    with database.write() as cx:
        lost = "UPDATE version SET blob_kind = 'evicted', blob_path = NULL WHERE sop_uid = ?"
        cx.execute(lost, (str(first.SOPInstanceUID),))
    database.close()
    assert availability("/studies", StudyInstanceUID=str(first.StudyInstanceUID)) == ["UNAVAILABLE"]
    assert availability(f"{study}/series") == availability(f"{study}/instances") == ["ONLINE", "UNAVAILABLE"]


def test_answers_come_as_json_or_as_xml_or_not_at_all(web: WebClient) -> None:
    web.keep(ct(PatientID="FORMS"))
    path = "/dicom-web/studies?PatientID=FORMS"
    for accept in ("", "*/*", "application/dicom+json", "application/json"):
        answer = web.get(path, accept)
        assert answer.headers["Content-Type"] == "application/dicom+json"
    ((content_type, body),) = read_parts(web.get(path, 'multipart/related; type="application/dicom+xml"'))
    assert content_type == "application/dicom+xml"
    assert ElementTree.fromstring(body) is not None
    assert web.get(path, "image/png").status_code == 406
    assert web.get(path + "&accept=application/json", "image/png").status_code == 200


@pytest.mark.parametrize(
    "query",
    ["NoSuchThing=1", "limit=many", "StudyDate=someday", "includefield=Rubbish", "StudyInstanceUID=../x"],
)
def test_a_bad_query_is_a_problem_that_does_not_repeat_it(web: WebClient, query: str) -> None:
    answer = web.get(f"/dicom-web/studies?{query}")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert query.split("=")[1] not in answer.text


def test_paths_hold_uids_only(web: WebClient) -> None:
    for path in (
        "/studies/abc/series",
        "/studies/1.2/series/x'--/instances",
        f"/studies/{'1' * 65}/instances",
    ):
        assert web.get(f"/dicom-web{path}").status_code == 400


def test_a_name_stays_known_when_a_later_object_has_none(web: WebClient) -> None:
    first = ct(PatientName="Remembered^Name", PatientID="KEPT-1")
    later = ct(PatientName=None, PatientID=None, StudyInstanceUID=first.StudyInstanceUID)
    web.keep(first)
    web.keep(later)
    (row,) = web.search("/studies", PatientName="*remembered*")
    assert row[NAME]["Value"] == [{"Alphabetic": "Remembered^Name"}]
    assert web.search("/studies", PatientID="kept-1", fuzzymatching="true") == [row]
