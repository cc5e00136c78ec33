"""The demonstration of the centre ends well by itself."""

from __future__ import annotations

import pytest

from tests.demo.centre import main


@pytest.mark.full
def test_it_tells_a_story_that_ends_with_everything_confirmed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    told = capsys.readouterr().out
    assert told.count("All confirmed.") == 2
    assert "First missing: not yet at centre" in told
