"""Character sets: every defined term, code extensions, wrong and missing declarations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.attributes import by_keyword
from appliance.model.charsets import (
    MISDECLARED,
    UNDECLARED,
    UNDECODABLE,
    UNKNOWN,
    character_set,
    decode,
    is_known_charset,
)
from appliance.model.matching import matches, parse_match
from appliance.model.names import name_search

ESC = b"\x1b"

# Declared terms -> bytes -> text. The names of PS3.5 annexes H to K, and one word per single-byte set.
DEFINED = [
    ("", b"Doe^John", "Doe^John"),
    ("ISO_IR 6", b"Doe^John", "Doe^John"),
    ("ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
    ("ISO_IR 101", "Wałęsa".encode("iso8859-2"), "Wałęsa"),
    ("ISO_IR 109", "Ĉapelĝvir".encode("iso8859-3"), "Ĉapelĝvir"),
    ("ISO_IR 110", "Šķēle".encode("iso8859-4"), "Šķēle"),
    ("ISO_IR 144", "Люкceмбypг".encode("iso8859-5"), "Люкceмбypг"),
    ("ISO_IR 127", "قباني^لنزار".encode("iso8859-6"), "قباني^لنزار"),
    ("ISO_IR 126", "Διονυσιος".encode("iso8859-7"), "Διονυσιος"),
    ("ISO_IR 138", "שרון^דבורה".encode("iso8859-8"), "שרון^דבורה"),
    ("ISO_IR 148", "Çavuşoğlu".encode("iso8859-9"), "Çavuşoğlu"),
    ("ISO_IR 203", b"Cr\xbdur^\xa4", "Crœur^€"),
    ("ISO_IR 166", "สมชาย".encode("tis-620"), "สมชาย"),
    ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    ("ISO_IR 192", "Wang^XiaoDong=王^小东=".encode(), "Wang^XiaoDong=王^小东="),
    ("GB18030", "Wang^XiaoDong=王^小东=".encode("gb18030"), "Wang^XiaoDong=王^小东="),
    ("GBK", "Wang^XiaoDong=王^小东=".encode("gbk"), "Wang^XiaoDong=王^小东="),
    ("GB18030", "㐀𠀀^丂".encode("gb18030"), "㐀𠀀^丂"),
    ("ISO 2022 IR 6\\ISO 2022 IR 100", b"Buc^J" + ESC + b"-A\xe9r\xf4me", "Buc^Jérôme"),
    ("\\ISO 2022 IR 144", ESC + b"-L\xbb\xee\xda", "Люк"),
    ("\\ISO 2022 IR 166", ESC + b"-T" + "สมชาย".encode("tis-620"), "สมชาย"),
    ("ISO 2022 IR 6\\ISO 2022 IR 203", b"Cr" + ESC + b"-b\xbdur", "Crœur"),
    (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    ("ISO 2022 IR 6\\ISO 2022 IR 159", b"\x1b$(D\x30\x21\x1b(B", "丂"),
    (
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    (
        "\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        "Zhang^XiaoDong=张^小东=",
    ),
    (
        "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126",
        b"J\xe9r\xf4me\\" + ESC + b"-L\xbb\xee\xda\\" + ESC + b"-F\xc4\xe9\xef",
        "Jérôme\\Люк\\Διο",
    ),
]


@pytest.mark.parametrize(("terms", "data", "text"), DEFINED)
def test_text_in_a_declared_set_is_read_without_a_mark(terms: str, data: bytes, text: str) -> None:
    assert decode(data, character_set(terms)) == (text, ())


@pytest.mark.parametrize(("terms", "data", "text"), DEFINED)
def test_a_name_in_any_set_is_found_by_one_of_its_characters(terms: str, data: bytes, text: str) -> None:
    attribute = by_keyword("PatientName")
    assert attribute is not None
    stored = decode(data, character_set(terms)).text
    for character in text:
        if character not in "^=\\\uff9e":  # the half-width voiced mark belongs to the letter before it
            assert matches(parse_match(attribute, f"*{character}*"), stored), character
    assert matches(parse_match(attribute, text), stored) or "\\" in text


def test_an_upper_half_ends_at_a_delimiter_where_the_first_set_has_one() -> None:
    data = b"\x1b$)C\xc8\xab^J\xe9r\xf4me"
    assert decode(data, character_set("ISO 2022 IR 100\\ISO 2022 IR 149")).text == "홍^Jérôme"


@pytest.mark.parametrize(("text", "codec"), [("蔥^許^馨", "big5"), ("乗^乗=歕^歛", "gbk"), ("ソ^表", "shift_jis")])
def test_delimiter_codes_inside_a_character_split_nothing(text: str, codec: str) -> None:
    data = text.encode(codec)
    assert decode(data, character_set("", codec)).text == text
    assert name_search(decode(data, character_set("", codec)).text).count("^") == text.count("^")


# Senders that say one thing and do another.
WRONG = [
    ("", "", "Müller".encode(), "Müller", UNDECLARED),
    ("", "gbk", "王^小东".encode("gbk"), "王^小东", UNDECLARED),
    ("", "GB18030", "王^小东".encode("gbk"), "王^小东", UNDECLARED),
    ("", "ISO_IR 144", "Люк".encode("iso8859-5"), "Люк", UNDECLARED),
    ("", "gbk", "Ġ€".encode(), "Ġ€", UNDECLARED),
    ("ISO_IR 6", "", "Müller".encode(), "Müller", MISDECLARED),
    ("ISO_IR 100", "", "王^小东".encode(), "王^小东", MISDECLARED),
    ("ISO_IR 192", "gbk", "王^小东".encode("gbk"), "王^小东", MISDECLARED),
    ("ISO_IR 6", "gbk", "王^小东".encode("gbk"), "王^小东", MISDECLARED),
    ("KLINGON", "", "王".encode(), "王", UNKNOWN),
    ("", "", "王".encode("gbk"), "\ufffdCD\ufffdF5", UNDECODABLE),
    ("ISO_IR 192", "", b"A\xff^B", "A\ufffdFF^B", UNDECODABLE),
    ("ISO_IR 192", "", "王小".encode()[:5], "王\ufffdE5\ufffdB0", UNDECODABLE),
    ("\\ISO 2022 IR 87", "", b"A\x1b%5B", "A\ufffd1B%5B", UNDECODABLE),
]


@pytest.mark.parametrize(("terms", "assumed", "data", "text", "mark"), WRONG)
def test_a_wrong_or_missing_declaration_is_mended_and_marked(
    terms: str, assumed: str, data: bytes, text: str, mark: str
) -> None:
    decoded = decode(data, character_set(terms, assumed), assumed)
    assert decoded.text == text
    assert mark in decoded.marks


@pytest.mark.parametrize("terms", ["ISO-IR 100", "ISO IR 100", "iso_ir_100", "ISO_IR100", "ISO 2022 IR 100"])
def test_common_misspellings_are_understood(terms: str) -> None:
    assert decode(b"J\xe9", character_set(terms)) == ("Jé", ())


@pytest.mark.parametrize(("pair", "text"), [(b"\x2d\x21", "①"), (b"\x7c\x62", "髙")])
def test_vendor_characters_of_jis_are_read(pair: bytes, text: str) -> None:
    assert decode(b"\x1b$B" + pair + b"\x1b(B", character_set("\\ISO 2022 IR 87")) == (text, ())


def test_names_outside_gb2312_are_read_under_its_name() -> None:
    data = b"\x1b$)A" + "朱镕基".encode("gbk")
    assert decode(data, character_set("\\ISO 2022 IR 58")) == ("朱镕基", ())


TERMS = st.sampled_from(
    ["", "ISO_IR 100", "ISO_IR 192", "GB18030", "\\ISO 2022 IR 87", "ISO 2022 IR 13\\ISO 2022 IR 149", "?"]
)


@given(st.binary(max_size=300), TERMS, st.sampled_from(["", "gbk", "ISO_IR 192"]))
def test_any_bytes_become_text_that_loses_no_byte(data: bytes, terms: str, assumed: str) -> None:
    decoded = decode(data, character_set(terms, assumed), assumed)
    decoded.text.encode()
    if data and ESC not in data:
        assert decoded.text
    if UNDECODABLE in decoded.marks:
        assert "\ufffd" in decoded.text


def test_long_garbage_is_escaped_in_reasonable_time() -> None:
    decoded = decode(b"\xff\xfe" * 32768, character_set("ISO_IR 192"))
    assert decoded.text.count("\ufffd") == 65536


@pytest.mark.parametrize(("name", "known"), [
    ("gbk", True), ("GB18030", True), ("ISO_IR 100", True), ("ISO 2022 IR 6\\ISO 2022 IR 58", True),
    ("utf-8", True),
    ("cp1251", True), ("zlib", False), ("rot13", False), ("punycode", False), ("", False), ("idna", False),
])  # fmt: skip
def test_only_real_character_sets_may_be_assumed(name: str, known: bool) -> None:
    assert is_known_charset(name) is known
