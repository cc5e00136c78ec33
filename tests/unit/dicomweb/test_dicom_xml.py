"""The Native DICOM Model is well-formed XML, whatever the values hold."""

from __future__ import annotations

from xml.etree import ElementTree

from appliance.dicomweb.dicom_xml import to_xml

NAMESPACE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def test_values_names_items_and_bulk_data_have_their_elements() -> None:
    root = ElementTree.fromstring(
        to_xml(
            {
                "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane^^Dr", "Ideographic": "山^花"}]},
                "00080061": {"vr": "CS", "Value": ["CT", None, "SR"]},
                "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}, {}]},
                "7FE00010": {"vr": "OW", "BulkDataURI": "http://h/a?b&c"},
                "00091001": {"vr": "UN", "InlineBinary": "BQA="},
            }
        )
    )
    by_tag = {attribute.get("tag"): attribute for attribute in root}
    assert root.tag == f"{NAMESPACE}NativeDicomModel"
    assert by_tag["00100010"].get("keyword") == "PatientName"
    assert [e.text for e in by_tag["00100010"].iter(f"{NAMESPACE}FamilyName")] == ["Doe", "山"]
    assert [e.text for e in by_tag["00100010"].iter(f"{NAMESPACE}NamePrefix")] == ["Dr"]
    assert [(e.get("number"), e.text) for e in by_tag["00080061"]] == [("1", "CT"), ("3", "SR")]
    assert len(list(by_tag["00081140"])) == 2
    assert by_tag["7FE00010"][0].get("uri") == "http://h/a?b&c"
    assert by_tag["00091001"][0].text == "BQA="


def test_markup_and_control_characters_do_no_harm() -> None:
    hostile = "<script>&amp;]]>\x00\x1b\ud800"
    root = ElementTree.fromstring(to_xml({"00081030": {"vr": "LO", "Value": [hostile]}}))
    assert root[0][0].text == "<script>&amp;]]>\ufffd\ufffd\ufffd"
