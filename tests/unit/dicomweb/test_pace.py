"""A paced body is the same body, and its pace is told of every byte once it is on its way."""

from __future__ import annotations

from pathlib import Path

from appliance.dicomweb.outgoing import Slice
from appliance.dicomweb.transport import Paced


def test_a_paced_body_is_the_same_body(tmp_path: Path) -> None:
    path = tmp_path / "object"
    path.write_bytes(bytes(range(256)) * 1000)
    told: list[int] = []
    body = Slice(path, 100, 200_000)
    paced = Paced(body, told.append)
    assert len(paced) == 200_000
    sent = 0
    for block in paced:
        assert sum(told) == sent  # the block in hand is not counted before it is taken
        sent += len(block)
    assert sum(told) == sent == 200_000
    assert b"".join(paced) == b"".join(body)
