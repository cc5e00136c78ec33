"""Slots are bounded in all and per address."""

from __future__ import annotations

from appliance.scp.slots import Slots


def test_slots_are_counted_in_all_and_per_address() -> None:
    slots = Slots(total=3, per_peer=2)
    assert [slots.take("a"), slots.take("a"), slots.take("a")] == [True, True, False]
    assert [slots.take("b"), slots.take("c")] == [True, False]
    slots.give_back("a")
    assert slots.taken == 2
    assert slots.take("c")
