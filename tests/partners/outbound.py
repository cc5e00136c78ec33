"""What a consumer of a directory sink finds, held against what the archive holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance.archive.room import Archive

STATE_TOPIC, IMAGE_TOPIC = "dicom_state_queue", "dicom_image_queue"
STORE_TOPICS = ("log_queue", "storage_queue")


class Outbound:
    """A directory sink's root, read as strictly as a consumer may read it."""

    def __init__(self, root: Path) -> None:
        """Take the root; it need not exist yet."""
        self.root = root

    def records(self, topic: str) -> list[dict[str, Any]]:
        """Records of every file of a topic in turn; AssertionError for a torn line."""
        return list(self._records(topic))

    def objects(self) -> dict[str, bytes]:
        """Whole files by their path below `objects`."""
        base = self.root / "objects"
        return {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}

    def assert_complete(self, archive: Archive) -> None:
        """Fail unless every event has its record, and every current object its identical file.

        Records may be there several times; unknown ones or missing ones may not.
        """
        with archive.database.read() as cx:
            events = cx.execute("SELECT kind, series_uid, sop_uid, revision, trace_id FROM event").fetchall()
        kinds = {kind: [row for row in events if row["kind"] == kind] for kind in ("state", "image", "object")}
        found = {(r["series_uid"], r["revision"]) for r in self._records(STATE_TOPIC)}
        assert found == {(row["series_uid"], row["revision"]) for row in kinds["state"]}
        assert {r["sop_uid"] for r in self._records(IMAGE_TOPIC)} == {row["sop_uid"] for row in kinds["image"]}
        for topic in STORE_TOPICS:
            found_traces = {r["trace_id"] for r in self._records(topic)}
            assert found_traces == {row["trace_id"] for row in kinds["object"]}
            for record in self._records(topic):
                assert (self.root / record["file_path"]).stat().st_size == record["file_size"]
        self._assert_objects(archive)

    def _assert_objects(self, archive: Archive) -> None:
        root = archive.settings.root
        held = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.dcm")}
        assert self.objects() == held
        incoming = self.root / ".incoming"
        assert not incoming.exists() or not list(incoming.iterdir())

    def _records(self, topic: str) -> Iterator[dict[str, Any]]:
        for path in sorted((self.root / topic).glob("*.jsonl")):
            data = path.read_bytes()
            assert not data or data.endswith(b"\n"), f"{path.name} ends with half a line"
            for line in data.splitlines():
                record = json.loads(line)
                assert isinstance(record, dict)
                yield record
