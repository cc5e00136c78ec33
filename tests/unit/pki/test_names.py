"""Names: one normal form each, everything hostile refused."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki import names
from pki.errors import Refused
from pki.profiles import lineage_name


@pytest.mark.parametrize("site", ["clinic-7", "a", "7", "x" * 63])
def test_a_site_id_stays_as_it_is(site: str) -> None:
    assert names.site_id(site) == site


@given(st.text(max_size=80))
def test_a_site_id_is_lower_case_letters_digits_and_hyphens_or_refused(text: str) -> None:
    if re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(?<!-)", text) and "\n" not in text:
        assert names.site_uri(text) == f"urn:dicom-edge:site:{text}"
    else:
        with pytest.raises(Refused) as refusal:
            names.site_id(text)
        assert refusal.value.hint


@pytest.mark.parametrize(
    "site", ["", "Clinic", "a b", "a\n", "a/b", "..", "ä", "a\x00", "a:b", "x" * 64, "-a", "a-", "site٣"]
)
def test_hostile_site_ids_are_refused(site: str) -> None:
    with pytest.raises(Refused):
        names.site_id(site)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("PACS.Clinic.Example", "pacs.clinic.example"),
        ("box", "box"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
    ],
)
def test_a_host_name_is_lower_case(text: str, normal: str) -> None:
    assert names.host_name(text) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        "-a",
        "a-",
        "a_b",
        "*.clinic.example",
        "10.0.0.1",
        "::1",
        "[::1]",
        "1.2",
        "münchen.example",
        "a b",
        "a.b.",
        "a\n",
        "x" * 64,
        ".".join(["x" * 60] * 5),
        "a/b",
        "\u212a.example",
        "a@b",
    ],
)
def test_what_is_no_host_name_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        names.host_name(text)
    assert refusal.value.hint


@given(st.text(max_size=40))
def test_any_text_is_a_host_name_in_normal_form_or_refused(text: str) -> None:
    try:
        found = names.host_name(text)
    except Refused:
        return
    assert found.isascii() and re.fullmatch(r"[a-z0-9.-]+", found)
    assert names.host_name(found) == found


@given(st.ip_addresses())
def test_an_address_has_one_form(value: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    try:
        found = names.address(value.exploded)
    except Refused:
        special = value.is_multicast or value.is_unspecified or value == ipaddress.ip_address("255.255.255.255")
        assert special or getattr(value, "ipv4_mapped", None)
        return
    assert found == str(value)


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0", "10.0.0.0/8", "0.0.0.0", "::", "224.0.0.1", "fe80::1%eth0", "::ffff:10.0.0.1", "255.255.255.255"],
)
def test_what_is_no_single_hosts_address_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        names.address(text)


AE_LETTERS = st.sampled_from([chr(code) for code in range(0x20, 0x7F) if chr(code) != "\\"])


@given(st.text(AE_LETTERS, min_size=1, max_size=16).filter(str.strip))
def test_an_ae_title_comes_back_out_of_its_uri(title: str) -> None:
    uri = names.ae_uri(title)
    assert re.fullmatch(r"urn:dicom-edge:ae:[A-Za-z0-9_.~%-]+", uri)
    assert names.ae_of(uri) == title.strip(" ")


@pytest.mark.parametrize("title", ["", "   ", "A\\B", "ÄE", "A\tB", "A\n", "X" * 17, "CT\x7f", "ＣＴ"])
def test_what_is_no_ae_title_is_refused(title: str) -> None:
    with pytest.raises(Refused):
        names.ae_title(title)


@pytest.mark.parametrize(
    "uri",
    [
        "urn:dicom-edge:site:a",
        "urn:dicom-edge:ae:",
        "urn:dicom-edge:ae:%FF",
        "urn:dicom-edge:ae:%43T",
        "urn:dicom-edge:ae:A%5CB",
        "urn:dicom-edge:ae:C T",
        "URN:dicom-edge:ae:CT",
        "urn:dicom-edge:ae:%20CT",
    ],
)
def test_a_uri_that_is_not_in_normal_form_names_no_ae_title(uri: str) -> None:
    assert names.ae_of(uri) is None


@given(st.text(max_size=30))
def test_a_lineage_is_one_plain_directory_name_whatever_it_is_called(name: str) -> None:
    encoded = name.encode("utf-8", "replace").decode()
    found = lineage_name("modality", encoded)
    assert found.startswith("modality-") and "/" not in found and found.isascii() and found.isprintable()


@pytest.mark.parametrize("text", ["", "\x00", "\x1b[2J", "x" * 65])
def test_an_authority_is_not_called_so(text: str) -> None:
    with pytest.raises(Refused):
        names.title(text)


def test_a_machine_hash_is_64_hexadecimal_digits() -> None:
    assert names.machine_uri("AB" * 32 + "\n") == "urn:dicom-edge:machine:" + "ab" * 32
    for wrong in ("", "ab" * 31, "zz" * 32, "ab" * 33):
        with pytest.raises(Refused):
            names.machine(wrong)
