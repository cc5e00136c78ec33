"""Output: harmless on a terminal, exact for scripts."""

from __future__ import annotations

import json

import pytest

from appliance.cli.output import cell, counted, moment, print_facts, print_rows, size, table


def test_what_came_from_the_network_cannot_steer_the_terminal() -> None:
    assert cell("AE\x1b[31m\r\n") == "AE\\x1b[31m\\r\\n"
    assert cell("示例") == "示例"


@pytest.mark.parametrize(("value", "text"), [(None, "-"), ("", "-"), (0, "0"), (True, "yes"), (False, "no")])
def test_a_cell_is_never_empty(value: object, text: str) -> None:
    assert cell(value) == text


def test_a_table_aligns_its_columns() -> None:
    lines = table([{"sink": "outbound", "pending": 3}, {"sink": "b"}], ("sink", "pending"))
    assert lines == ["SINK      PENDING", "outbound  3", "b         -"]


def test_moments_are_utc_to_the_millisecond() -> None:
    assert moment(1_700_000_000_123_456) == "2023-11-14T22:13:20.123Z"
    assert moment(None) is None


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB"), (1 << 60, "1024.0 PiB")],
)
def test_sizes_read_well(count: int, text: str) -> None:
    assert size(count) == text


def test_one_is_not_many() -> None:
    assert [counted(count, "file", "files") for count in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_json_lists_whole_rows(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"a": 1, "hidden": "示例"}], ("a",), as_json=True, empty="none")
    assert json.loads(capsys.readouterr().out) == [{"a": 1, "hidden": "示例"}]


def test_an_empty_list_says_so_to_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], ("a",), as_json=False, empty="There is none.")
    print_rows([], ("a",), as_json=True, empty="There is none.")
    assert capsys.readouterr().out == "There is none.\n[]\n"


def test_facts_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts({"last_store": None, "id": 4}, as_json=False)
    assert capsys.readouterr().out == "last store  -\nid          4\n"
