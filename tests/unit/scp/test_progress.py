"""Only a trickle is too slow."""

from __future__ import annotations

from appliance.scp.progress import Progress


def test_only_a_trickle_inside_a_message_is_too_slow() -> None:
    progress = Progress(window=10.0, now=0.0)
    assert not progress.too_slow(False, 0, 100.0)
    assert not progress.too_slow(True, 1, 105.0)
    assert progress.too_slow(True, 1, 110.0)
    assert not progress.too_slow(True, 640, 120.0)
    assert not progress.too_slow(True, 0, 129.0)
    assert progress.too_slow(True, 0, 130.0)
