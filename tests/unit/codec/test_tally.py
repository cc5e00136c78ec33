"""Children that a service has ended are counted once by each caller, however the totals arrive."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.codec.tally import TakenUp, Tally
from appliance.codec.wire import Garbled


def test_totals_are_taken_up_once_in_any_order() -> None:
    heard: list[str] = []
    taken, tally = TakenUp(heard.append), Tally()
    documents = []
    for reason in ("idle", "crashed", "crashed"):
        tally.child_ended(reason)
        documents.append(tally.document())
    for document in (documents[1], documents[0], documents[2], documents[2]):
        taken.hear(document)
    assert sorted(heard) == ["crashed", "crashed", "idle"]


def test_the_next_service_begins_at_nothing() -> None:
    heard: list[str] = []
    taken = TakenUp(heard.append)
    for _ in range(2):
        tally = Tally()
        tally.child_ended("recycled")
        taken.hear(tally.document())
    assert heard == ["recycled", "recycled"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"service": 1, "ended": {}},
        {"service": "a", "ended": []},
        {"service": "a", "ended": {"patient": 1}},
        {"service": "a", "ended": {"idle": "1"}},
    ],
)
def test_what_is_no_tally_is_garbled(document: dict[str, Any]) -> None:
    with pytest.raises(Garbled):
        TakenUp(lambda reason: None).hear(document)


def test_an_absurd_total_is_not_counted_out() -> None:
    heard: list[str] = []
    TakenUp(heard.append).hear({"service": "a", "ended": {"idle": 10**12}})
    assert len(heard) == 1000
