"""Answers: what is taken, what is refused with a word, what stands in for none."""

from __future__ import annotations

import json

import pytest

from appliance.care.setup.answers import Answers, answered, host_of, site_of
from appliance.errors import ConfigurationError

STANDING = Answers(site="clinic-7", https_name="pacs.clinic.example")


def given(**answers: object) -> Answers:
    """The answers in force with some laid over them."""
    return answered(json.dumps(answers), STANDING)


def refused(**answers: object) -> str:
    """What is said of answers that cannot be."""
    with pytest.raises(ConfigurationError) as caught:
        given(**answers)
    return caught.value.message


def test_nobody_asked_means_loopback_and_the_usual_ports() -> None:
    assert STANDING.dicom_address == "127.0.0.1"
    assert STANDING.https_address == "127.0.0.1:443"
    assert sorted(STANDING.dicom_ports) == [104, 11112]
    assert STANDING.dicom_tls_port == 2762
    assert (STANDING.tenant, STANDING.ae_title) == ("default", "APPLIANCE")


def test_what_is_not_answered_stands() -> None:
    assert given() == STANDING
    assert given(site="", tenant=None, dicom_ports="") == STANDING


def test_answers_are_taken_as_a_person_writes_them() -> None:
    found = given(dicom_ports="11113, 104 11113", https_address="::", https_name="PACS.Clinic.Example", site=" box-8 ")
    assert found.dicom_ports == (11113, 104)
    assert found.https_address == "[::]:443"
    assert (found.https_name, found.site) == ("pacs.clinic.example", "box-8")


@pytest.mark.parametrize("none", [None, "", 0])
def test_no_port_for_tls_is_an_answer(none: object) -> None:
    assert given(dicom_tls_port=none).dicom_tls_port is None


@pytest.mark.parametrize(
    ("address", "understood"),
    [
        ("0.0.0.0", "0.0.0.0:443"),
        ("192.168.1.5:8443", "192.168.1.5:8443"),
        ("[::1]:443", "[::1]:443"),
        ("fd00::7", "[fd00::7]:443"),
    ],
)
def test_an_address_of_the_pages_may_lack_its_port(address: str, understood: str) -> None:
    assert given(https_address=address).https_address == understood


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("site", "-clinic"),
        ("site", "Clinic 7"),
        ("tenant", ".hidden"),
        ("ae_title", "SEVENTEEN_LETTERS"),
        ("ae_title", "BACK\\SLASH"),
        ("dicom_address", "pacs.example"),
        ("dicom_address", "224.0.0.1"),
        ("dicom_ports", "0"),
        ("dicom_ports", [70000]),
        ("dicom_ports", [True]),
        ("dicom_tls_port", "x"),
        ("https_address", "pacs.example:443"),
        ("https_address", "1.2.3.4:0"),
        ("https_name", "1.2.3.4"),
        ("https_name", "under_score.example"),
        ("setup_code", "maybe"),
        ("admin_password", "two\nlines of it"),
        ("admin_password", "half a \ud800 character"),
        ("sight", "clinic-7"),
    ],
)
def test_what_cannot_be_is_named(name: str, value: object) -> None:
    assert name in refused(**{name: value})


def test_answers_may_be_lines() -> None:
    found = answered('site=box-8\ntenant=\ndicom_tls_port=\nadmin_password= a=b "c" \n', STANDING)
    assert (found.site, found.tenant, found.dicom_tls_port) == ("box-8", "default", None)
    assert found.admin_password == ' a=b "c" '


def test_what_is_shown_can_be_given_back() -> None:
    shown = {**STANDING.document(), "dicom_ports": "11112 104"}
    assert answered("".join(f"{name}={value}\n" for name, value in shown.items()), STANDING) == STANDING


def test_a_line_that_is_no_answer_is_not_quoted() -> None:
    with pytest.raises(ConfigurationError) as caught:
        answered("site=box-8\nsecret horse 9", STANDING)
    assert "horse" not in caught.value.message


def test_every_mistake_is_named_at_once() -> None:
    said = refused(site="A B", dicom_ports="0")
    assert "site" in said and "dicom_ports" in said


def test_two_doors_never_get_one_port() -> None:
    assert "2762" in refused(dicom_ports="11112 2762")
    assert "443" in refused(dicom_ports="443", dicom_address="0.0.0.0")
    assert given(dicom_ports="443", dicom_address="10.0.0.1").dicom_ports == (443,)


@pytest.mark.parametrize("text", ["", "[]", "{", '"secret horse 9"', '{"admin_password": "secret horse 9'])
def test_what_is_no_object_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        answered(text, STANDING)
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_a_password_is_in_no_text_made_of_the_answers() -> None:
    found = given(admin_password="correct horse 9", setup_code=True)
    assert found.admin_password == "correct horse 9"
    assert "horse" not in f"{found!r} {found} {found.document()}"
    assert "horse" not in refused(admin_password="correct horse 9", site="-")
    assert "horse" not in refused(admin_password="correct\nhorse")


@pytest.mark.parametrize(
    ("host", "site"),
    [("CT-Box.clinic.example", "ct-box"), ("röntgen_7", "r-ntgen-7"), ("--", "site-1"), ("a" * 80, "a" * 63)],
)
def test_a_host_name_becomes_the_name_of_a_site(host: str, site: str) -> None:
    assert site_of(host) == site
    assert given(site=site_of(host)).site == site


def test_a_host_name_that_cannot_be_certified_is_replaced() -> None:
    assert host_of("Box7.Clinic.Example.") == "box7.clinic.example"
    assert host_of("under_score") == "appliance"
