"""One sync process per home."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.sync.lock import AlreadyRunning, sole_process


def test_a_second_holder_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "sync.lock"
    with sole_process(path):
        with pytest.raises(AlreadyRunning) as caught, sole_process(path):
            pass
        assert caught.value.retryable
        assert "stop it first" in caught.value.hint
    with sole_process(path):
        pass
