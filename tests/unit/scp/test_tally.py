"""The numbers of the room."""

from __future__ import annotations

from appliance.model.records import Result
from appliance.scp.tally import Tally


def test_the_tally_counts_what_it_is_told() -> None:
    tally = Tally()
    tally.opened()
    tally.opened()
    tally.closed()
    tally.rejected("unknown calling AE title")
    tally.stored(Result.STORED, 100, 7)
    tally.stored(Result.DUPLICATE, 50, 9)
    tally.refused("disk_full")
    assert tally.snapshot() == {
        "associations": {"open": 1, "total": 2, "rejected": {"unknown calling AE title": 1}},
        "stored": {"stored": 1, "duplicate": 1, "restored": 0, "conflict": 0},
        "refused": {"disk_full": 1},
        "bytes": 150,
        "last_store": 9,
    }
