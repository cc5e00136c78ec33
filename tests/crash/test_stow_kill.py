"""A sync process that dies anywhere around a store request: every object arrives, none is lost, none is torn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.failpoints import NAMES, VARIABLE
from tests.integration.sync.boxes import Box
from tests.integration.sync.stow_boxes import digests, stow_box
from tests.partners.dicom_store import DicomStore
from tests.partners.uploads import Uploads
from tests.waiting import wait_until

PLACES = [name for name in NAMES if name.startswith(("sync.", "stow.", "outbox."))]
PIECES = [name for name in PLACES if name.endswith("_piece")]
# The worker's own places are passed once a batch, whatever the sink; those of requests early and late.
STEPS = [(place, hit) for place in PLACES for hit in ((1, 3) if place.startswith("stow.") else (2,))]
SIGKILL = -9
MIB = 1 << 20
LARGE = 512 * MIB
ROOM = 48 * MIB


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DicomStore]:
    with DicomStore(tmp_path / "store") as found:
        yield found


def box_for(store: DicomStore, home: Path, pieces: bool) -> Box:
    """Return a box that stores by requests, or in pieces."""
    options = {"offset_threshold": 1, "batch_bytes": 1} if pieces else {}
    return stow_box(home, store.url, **options)


@pytest.mark.parametrize(("place", "hit"), STEPS)
def test_killed_at_a_step_everything_arrives_after_a_restart(
    store: DicomStore, tmp_path: Path, place: str, hit: int
) -> None:
    store.uploads = Uploads(tmp_path / "uploads", store.objects) if place in PIECES else None
    with box_for(store, tmp_path / "home", place in PIECES) as box:
        box.store(12)
        environ = {VARIABLE: f"{place}=kill@{hit}", "APPLIANCE__SYNC__BATCH_ROWS": "3"}
        box.start(environ)
        assert box.appliance.wait_ended("sync") == SIGKILL
        assert box.stats().pending + box.stats().leased > 0
        box.start()
        box.wait_drained()
        assert box.stats().dead == 0
        assert store.digests() == digests(box)
        assert box.appliance.stop("sync") == 0


def test_killed_at_random_everything_arrives(store: DicomStore, tmp_path: Path) -> None:
    with box_for(store, tmp_path / "home", pieces=False) as box:
        box.store(80)
        for _ in range(6):
            before = box.stats().delivered
            box.start({"APPLIANCE__SYNC__BATCH_ROWS": "4"})
            wait_until(lambda before=before: box.stats().delivered >= before + 4, 30)  # type: ignore[misc]
            box.appliance.kill("sync")
        box.start()
        box.wait_drained()
        assert store.digests() == digests(box)
        assert box.stats().dead == 0


PROGRAM = """
import resource, sys
from pathlib import Path
from tests.builders.large import large_row
from appliance.sync.proving import Finding
from appliance.sync.sinks.stow import StowSink
from appliance.sync.sinks.stow_options import StowOptions

folder, url, size, offset_upload = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
row = large_row(folder, size)
sink = StowSink(StowOptions(url=url, offset_upload=offset_upload, offset_threshold=1))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answers = sink.deliver([row])
assert list(answers.values()) == [None], answers
assert sink.read_back(row) is Finding.IDENTICAL
sink.close()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("offset_upload", ["off", "auto"])
def test_memory_does_not_grow_with_the_object(store: DicomStore, tmp_path: Path, offset_upload: str) -> None:
    store.uploads = Uploads(tmp_path / "uploads", store.objects)
    arguments = [str(tmp_path), store.url, str(LARGE), offset_upload]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < ROOM
    assert bool(store.posts) is (offset_upload == "off")
