"""docs/forwarding.md names everything an operator can meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.sync.envelope import TOPICS_BY_KIND
from appliance.sync.retry import State
from appliance.sync.sinks.contract import RowFault
from appliance.sync.sinks.destination import FAULTS
from appliance.sync.sinks.registry import KINDS

GUIDE = Path(__file__).parents[3] / "docs" / "forwarding.md"
STATES = ("pending", "leased", "delivered", "dead", "buried")
TOPICS = [topic for topics in TOPICS_BY_KIND.values() for topic in topics]
ROW_FAULTS = sorted({text for kind, text, _ in FAULTS.values() if kind is RowFault})


@pytest.mark.parametrize("word", [*KINDS, *(state.value for state in State), *STATES])
def test_every_kind_and_state_is_explained(word: str) -> None:
    assert f"| `{word}` |" in GUIDE.read_text(encoding="utf-8")


@pytest.mark.parametrize("word", [*TOPICS, *ROW_FAULTS])
def test_every_topic_and_fault_of_a_file_is_named(word: str) -> None:
    assert word in GUIDE.read_text(encoding="utf-8")
