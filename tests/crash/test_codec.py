"""The codec when its parent dies: no child outlives it, and the cache is whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from pydicom.encaps import encapsulate

from tests.builders.instances import ct, part10
from tests.builders.sources import slices
from tests.partners.appliance import REPOSITORY, Appliance
from tests.waiting import wait_until

SIGKILLED = -9
HANGING = """
import sys, threading
from pathlib import Path
from appliance.codec.limits import Limits
from appliance.codec.pool import Pool
from appliance.codec.source import Source
from tests.partners.planted_child import MODULE
path, offset, length = sys.argv[1:]
source = Source(Path(path), int(offset), int(length), "1.2.840.10008.1.2.1")
pool = Pool(Limits(deadline_seconds=600.0), module=MODULE)
threading.Thread(target=pool.run, args=("native", source, {"frame": 1}), daemon=True).start()
while not pool.pids():
    threading.Event().wait(0.01)
print(pool.pids()[0], flush=True)
threading.Event().wait()
"""


def state_of(pid: int) -> str:
    """The letter of a process's state, "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_child_that_hangs_dies_with_its_parent(tmp_path: Path) -> None:
    ((source, _),) = slices(tmp_path, 1, at_0="hang")
    command = [sys.executable, "-c", HANGING, str(source.path), str(source.offset), str(source.length)]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert state_of(child) not in ("", "Z")
        parent.kill()
        parent.wait()
    wait_until(lambda: state_of(child) in ("", "Z"))


def ask(box: Appliance, path: str) -> requests.Response:
    headers = {"Accept": "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"}
    if "/frames/" in path:
        headers["Accept"] = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    return requests.get(box.url + path, headers=headers, timeout=30)


def test_a_kill_while_a_frame_is_kept_leaves_a_whole_cache(tmp_path: Path) -> None:
    pixels = bytes(range(256)) * 2
    dataset = ct(BitsAllocated=8, BitsStored=8, HighBit=7, Rows=16, Columns=32)
    # RLE of 512 literal bytes in pieces of 128 (PS3.5 G.3).
    literals = b"".join(b"\x7f" + pixels[at : at + 128] for at in range(0, 512, 128))
    dataset.PixelData = encapsulate([(1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + literals])
    dataset["PixelData"].is_undefined_length = True
    file = tmp_path / "rle.dcm"
    file.write_bytes(part10(dataset, "1.2.840.10008.1.2.5"))
    uids = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    frame = "/dicom-web/studies/{}/series/{}/instances/{}/frames/1".format(*uids)
    home = tmp_path / "home"
    with Appliance(home) as box:
        box.command("init")
        box.command("import", str(file))
        box.start("web", environ={"APPLIANCE_FAILPOINTS": "codec.before_cache_rename=kill"})
        box.wait_ready("web")
        with pytest.raises(requests.ConnectionError):
            ask(box, frame)
        assert box.wait_ended("web") == SIGKILLED
        assert list(home.glob("cache/frames/*/*.part"))
        assert not list(home.glob("cache/frames/*/*.frame"))
        box.start("web")
        box.wait_ready("web")
        assert not list(home.glob("cache/frames/*/*.part"))
        for _ in range(2):
            assert ask(box, frame).content == pixels
        assert len(list(home.glob("cache/frames/*/*.frame"))) == 1
