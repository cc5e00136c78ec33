"""A box whose only sink is a DICOMweb store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from appliance.model.routes import Route
from tests.archives import SINK
from tests.integration.sync.boxes import Box

QUICK: dict[str, Any] = {"connect_timeout": 2, "read_timeout": 2, "batch_count": 5}


def stow_box(home: Path, url: str, **options: Any) -> Box:
    """Return a box that forwards objects to `url`; `options` are keys of the sink."""
    sink = {"kind": "stow", "url": url, **QUICK, **options}
    route = Route(SINK, kinds=("object",), proof=options.get("verify", "off") != "off")
    return Box(home, {"APPLIANCE__SYNC__SINKS": json.dumps({SINK: sink})}, sinks=(route,))


def digests(box: Box) -> dict[str, str]:
    """What the archive holds: digest of the data set by SOP instance UID."""
    rows = box.archive.outbox.list(sink=SINK, limit=100_000)
    studies = {str(row["study_uid"]) for row in rows}
    return {one.sop_uid: one.digest for study in studies for one in box.archive.reading.instances(study)}


def attempts(box: Box) -> set[int]:
    """How often the rows were tried, as far as that was counted."""
    return {int(row["attempts"]) for row in box.archive.outbox.list(sink=SINK, limit=100_000)}
