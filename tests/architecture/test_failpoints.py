"""Failpoints: the list of names and the places agree."""

from __future__ import annotations

from collections import Counter

from appliance.failpoints import NAMES
from tests.architecture.rules import failpoints
from tests.architecture.source import Module, modules


def test_every_name_stands_at_one_place_and_every_place_is_listed() -> None:
    places = [found for module in modules("appliance") for found in failpoints(module)]
    assert Counter(name for _, name in places) == Counter(NAMES), places


def test_a_computed_name_is_noticed() -> None:
    module = Module("m.py", 'failpoint("a")\nfailpoints.failpoint(f"b{c}")\n')
    assert list(failpoints(module)) == [("m.py:1", "a"), ("m.py:2", "")]
