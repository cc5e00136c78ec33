"""A destination that fills up: nothing lost, nothing torn, on again when space returns."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sync.boxes import Box
from tests.partners.outbound import Outbound
from tests.waiting import wait_until

DISK_BYTES = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, mounted."""
    if os.geteuid() != 0:
        pytest.fail("this test mounts a tmpfs: run it as root")
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("left", [4096, 40_000, 200_000])
def test_a_full_disk_waits_and_ends_complete(tmp_path: Path, small_disk: Path, left: int) -> None:
    root = small_disk / "outbound"
    root.mkdir()
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (DISK_BYTES - 4096 - left))
    sinks = json.dumps({"outbound": {"path": str(root)}})
    with Box(tmp_path / "home", {"APPLIANCE__SYNC__SINKS": sinks}) as box:
        box.store(40, PixelData=os.urandom(8192), Rows=64, Columns=64)
        box.start()
        stats = wait_until(lambda: box.stats().breaker in ("open", "half-open") and box.stats())
        assert "the disk is full" in stats.reason
        assert stats.dead == 0
        outbound = Outbound(root)
        for topic in ("dicom_state_queue", "dicom_image_queue", "log_queue", "storage_queue"):
            wait_until(lambda topic=topic: _whole(root / topic))  # type: ignore[misc]
        ballast.unlink()
        box.wait_drained()
        wait_until(lambda: box.stats().breaker == "closed")
        assert {row["attempts"] for row in box.archive.outbox.list(limit=1000)} == {1}
        outbound.assert_complete(box.archive)
        assert box.appliance.stop("sync") == 0


def _whole(topic: Path) -> bool:
    """Between two attempts the files end with whole lines; during one they may not."""
    files = sorted(topic.glob("*.jsonl"))
    return all(not data or data.endswith(b"\n") for data in (path.read_bytes() for path in files))
