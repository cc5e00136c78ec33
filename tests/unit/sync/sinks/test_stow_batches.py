"""How a batch becomes requests: bounded by count and bytes, in order, no instance twice in one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.sync.sinks.contract import RowFault
from appliance.sync.sinks.stow_batches import Parcel, halves, pack, requests
from tests.builders.objects import Objects


@pytest.fixture(scope="module")
def parcel(tmp_path_factory: pytest.TempPathFactory) -> Parcel:
    return pack(Objects(tmp_path_factory.mktemp("archive")).row())


def sized(parcel: Parcel, name: int, size: int) -> Parcel:
    return replace(parcel, sop_uid=f"1.2.{name}", instance=replace(parcel.instance, size=size))


@given(
    sizes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 100)), max_size=40),
    count=st.integers(1, 7), most=st.integers(1, 150),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_requests_keep_order_and_limits(parcel: Parcel, sizes: list[tuple[int, int]], count: int, most: int) -> None:
    parcels = [sized(parcel, name, size) for name, size in sizes]
    groups = list(requests(parcels, count, most))
    assert [one for group in groups for one in group] == parcels
    for group in groups:
        assert 0 < len(group) <= count
        assert len(group) == 1 or sum(one.instance.size for one in group) <= most
        assert len({one.sop_uid for one in group}) == len(group)
        if len(group) > 1:
            first, second = halves(group)
            assert [*first, *second] == group
            assert first
            assert second


def test_what_is_no_object_with_a_file_is_the_rows_fault(tmp_path: Path) -> None:
    row = Objects(tmp_path).row()
    for changes in ({"kind": "state"}, {"blob": None}, {"sop_uid": None}, {"study_uid": "../x"}, {"sop_uid": "1/2"}):
        with pytest.raises(RowFault):
            pack(replace(row, **changes))
