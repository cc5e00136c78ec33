"""docs/forwarding-stow.md explains every reason the sink can give, and every word of the upload protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.dicomweb.offset_upload import OFFSET_TYPE, PIECE_BYTES, VERSION
from appliance.dicomweb.store_answer import DIGEST_CREATOR
from appliance.sync.sinks.stow_faults import REASONS, STATUSES
from appliance.sync.sinks.stow_sending import OTHER_BYTES

GUIDE = " ".join((Path(__file__).parents[4] / "docs" / "forwarding-stow.md").read_text(encoding="utf-8").split())
TEXTS = {text for _, text, _ in STATUSES.values()} | {text for _, _, _, text, _ in REASONS}


@pytest.mark.parametrize("text", sorted({*TEXTS, OTHER_BYTES}))
def test_every_reason_is_explained(text: str) -> None:
    assert text in GUIDE


@pytest.mark.parametrize("word", [OFFSET_TYPE, VERSION, DIGEST_CREATOR, f"{PIECE_BYTES >> 20} MiB"])
def test_the_upload_protocol_is_described(word: str) -> None:
    assert word in GUIDE
