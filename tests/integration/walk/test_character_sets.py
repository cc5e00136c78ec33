"""Names in every script a clinic meets: stored as sent, found by one or two characters, shown right."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.archives import new_archive
from tests.builders.hostile import element, replaced
from tests.builders.instances import CT_IMAGE_STORAGE
from tests.partners.appliance import Appliance
from tests.partners.raw_scu import RawScu

EXPLICIT = "1.2.840.10008.1.2.1"
PEERS = json.dumps([{"ae_title": "GBKCT", "assumed_charset": "gbk"}])


@dataclass(frozen=True)
class Case:
    """A name as its bytes travel, what they say, and fragments a radiologist would type."""

    name: str
    declared: str | None
    encoded: bytes
    shown: dict[str, str]
    typed: tuple[str, ...]
    sender: str = "CT1"


# The ISO 2022 names are the examples of PS3.5 annexes H, I and K.
CASES = (
    Case("GB18030", "GB18030", "Wang^XiaoDong=王^小东".encode("gb18030"),
         {"Alphabetic": "Wang^XiaoDong", "Ideographic": "王^小东"}, ("*王*", "王^小东", "*小东*", "wang*")),
    Case("GBK", "GBK", "张^三丰".encode("gbk"), {"Alphabetic": "张^三丰"}, ("*张*", "*三丰*")),
    Case("GBK with trail bytes of backslash and caret", "GBK", "誠^誡".encode("gbk"),
         {"Alphabetic": "誠^誡"}, ("*誠*", "*誡*")),
    Case("GBK, undeclared, assumed for the sender", None, "李^四".encode("gbk"),
         {"Alphabetic": "李^四"}, ("*李*", "*四*"), sender="GBKCT"),
    Case("ISO 2022 IR 58", "\\ISO 2022 IR 58", b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
         {"Alphabetic": "Zhang^XiaoDong", "Ideographic": "张^小东"}, ("*张*", "*东*", "zhang^*")),
    Case("ISO 2022 IR 87", "\\ISO 2022 IR 87",
         b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
         {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"},
         ("*山*", "*山田*", "*やま*", "YAMADA^TAROU")),
    Case("ISO 2022 IR 149", "\\ISO 2022 IR 149",
         b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
         {"Alphabetic": "Hong^Gildong", "Ideographic": "洪^吉洞", "Phonetic": "홍^길동"}, ("*洪*", "*홍*", "hong*")),
    Case("ISO_IR 203", "ISO_IR 203", "Œuvre^Zoé€".encode("iso8859-15"), {"Alphabetic": "Œuvre^Zoé€"}, ("*uvre^zoe*",)),
    Case("UTF-8", "ISO_IR 192", "Wang^Fang=黃^芳=ㄨㄤˊ".encode(),
         {"Alphabetic": "Wang^Fang", "Ideographic": "黃^芳", "Phonetic": "ㄨㄤˊ"}, ("*黃*", "*芳*", "wang^fang")),
    Case("Cyrillic", "ISO_IR 144", "Иванов^Пётр".encode("iso8859-5"), {"Alphabetic": "Иванов^Пётр"}, ("иванов*",)),
    Case("Arabic", "ISO_IR 127", "قباني^لنزار".encode("iso8859-6"), {"Alphabetic": "قباني^لنزار"}, ("*قب*",)),
)  # fmt: skip


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    home = tmp_path_factory.mktemp("names") / "home"
    new_archive(home).close()
    with Appliance(home, {"APPLIANCE__SCP__PEERS": PEERS, "APPLIANCE__SCP__ACCEPT_UNKNOWN": "true"}) as box:
        box.start("scp")
        box.start("web")
        box.wait_ready("scp")
        box.wait_answering("web")
        yield box


def search(box: Appliance, **keys: str) -> list[dict[str, dict[str, list[object]]]]:
    url = f"{box.dicomweb}/studies?{urllib.parse.urlencode(keys)}"
    request = urllib.request.Request(url, headers={"Accept": "application/dicom+json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read()
    return json.loads(text) if text else []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_name_is_found_by_its_characters_and_shown_right(box: Appliance, case: Case) -> None:
    data = declared(replaced("PatientName", case.encoded), case.declared)
    uids = {"study": "", "sop": ""}
    with RawScu("127.0.0.1", box.scp_port, calling=case.sender, contexts=((CT_IMAGE_STORAGE, (EXPLICIT,)),)) as scu:
        uids["sop"] = _uid(data, b"\x08\x00\x18\x00UI")
        uids["study"] = _uid(data, b"\x20\x00\x0d\x00UI")
        assert scu.store(CT_IMAGE_STORAGE, uids["sop"], EXPLICIT, data) == 0
    for typed in case.typed:
        found = {study["0020000D"]["Value"][0]: study for study in search(box, PatientName=typed)}
        assert uids["study"] in found, typed
        assert found[uids["study"]]["00100010"]["Value"] == [case.shown], typed
    with urllib.request.urlopen(f"{box.dicomweb}/studies/{uids['study']}/metadata", timeout=30) as response:
        (metadata,) = json.load(response)
    assert metadata["00100010"]["Value"] == [case.shown]
    status, page = box.get(f"/studies/{uids['study']}")
    assert status == 200
    text = page.decode()
    for group in ("Alphabetic", "Ideographic"):  # the page leaves phonetic groups to the search
        for component in case.shown.get(group, "").split("^"):
            assert component in text


def test_a_search_for_other_characters_finds_none_of_them(box: Appliance) -> None:
    assert search(box, PatientName="*龘*") == []


def declared(data: bytes, charset: str | None) -> bytes:
    """A data set with another Specific Character Set, or none; pydicom does not know them all."""
    start = data.index(b"\x08\x00\x05\x00CS")
    end = start + 8 + int.from_bytes(data[start + 6 : start + 8], "little")
    value = (charset or "").encode()
    new = element(0x00080005, b"CS", value + b" " * (len(value) % 2)) if charset else b""
    return data[:start] + new + data[end:]


def _uid(data: bytes, head: bytes) -> str:
    at = data.index(head) + len(head)
    length = int.from_bytes(data[at : at + 2], "little")
    return data[at + 2 : at + 2 + length].decode().rstrip("\0")
