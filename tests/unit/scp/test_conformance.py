"""The conformance statement cannot differ from the program."""

from __future__ import annotations

from pathlib import Path

from appliance.archive.group2 import IMPLEMENTATION_CLASS_UID
from appliance.scp.contexts import storage_classes
from appliance.scp.pdu import MAX_ASSOCIATE_RQ
from tests.architecture.conformance import render, tables

STATEMENT = Path(__file__).resolve().parents[3] / "docs" / "conformance.md"


def test_its_tables_are_the_programs() -> None:
    text = STATEMENT.read_text(encoding="utf-8")
    assert text == render(text), "run `make reference`"


def test_every_table_stands_in_it() -> None:
    text = STATEMENT.read_text(encoding="utf-8")
    assert all(f"<!-- table: {name} -->\n| " in text for name in tables())
    assert all(uid in text for uid in storage_classes())


def test_what_it_says_in_words_is_true() -> None:
    text = STATEMENT.read_text(encoding="utf-8")
    assert IMPLEMENTATION_CLASS_UID in text
    assert f"at most {MAX_ASSOCIATE_RQ // 1024} KiB" in text
