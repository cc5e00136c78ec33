"""Faults of the codec as HTTP statuses."""

from __future__ import annotations

import pytest

from appliance.codec.faults import CodecBusy, CodecFault, Kind
from appliance.web.codec_faults import STATUSES, codec_fault_answer


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_status_of_its_own(kind: Kind) -> None:
    assert 400 <= STATUSES[kind] < 600
    assert STATUSES[kind] != 500
    assert len(set(STATUSES.values())) == len(STATUSES)


def test_a_full_queue_says_when_to_come_back() -> None:
    answer = codec_fault_answer(CodecBusy())
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) < 10
    assert "Retry-After" not in codec_fault_answer(CodecFault(Kind.REFUSED)).headers
