"""docs/configuration.md says of every key what it means and what it is when unset."""

from __future__ import annotations

from pydantic import BaseModel

from tests.architecture.reference import keys, rows, written
from tests.architecture.source import ROOT

DOCUMENT = ROOT / "docs" / "configuration.md"


def test_every_key_has_a_meaning() -> None:
    assert not [key for key, field in keys() if not field.description]


def test_the_document_is_up_to_date() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == written(text), "run `make reference`"


def test_every_key_is_in_the_document_once() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("| `")] == list(rows())[2:]


def test_a_new_key_is_noticed() -> None:
    class Extended(BaseModel):
        novelty: int = 7

    assert list(rows(Extended))[-1].startswith("| `novelty` | `7` |")
    assert "novelty" not in DOCUMENT.read_text(encoding="utf-8")
