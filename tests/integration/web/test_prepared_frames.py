"""Frames that browsers cannot decode: prepared when their series is quiet, kept, recorded when nobody can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate

from appliance.archive.reading import StoredInstance
from appliance.archive.reserve import Disk
from appliance.archive.room import Archive
from appliance.codec.cache import FrameCache
from appliance.codec.faults import CodecFault, Kind
from appliance.codec.limits import Limits
from appliance.codec.pool import Pool
from appliance.web.prepared_frames import PreparedFrames
from appliance.web.preparing import QUIET_SECONDS, Preparer
from tests.archives import new_archive, sender
from tests.builders.instances import ct, part10
from tests.clocks import FakeClock
from tests.partners.appliance import Appliance

PLAIN = "1.2.840.10008.1.2.1.98"
JPEG_XL = "1.2.840.10008.1.2.4.110"
ROOMY = Disk(free_bytes=1 << 40, reserve_bytes=1)


class Box:
    """An archive with a pool and a cache."""

    def __init__(self, home: Path) -> None:
        """Make it; `close` ends it."""
        self.clock = FakeClock()
        self.home = home
        self.archive: Archive = new_archive(home, self.clock)
        self.pool = Pool(Limits())
        self.disk = ROOMY
        self.restart()

    def restart(self) -> None:
        """Open the cache and the preparer anew."""
        cache = FrameCache(self.home / "cache", 1 << 20)
        self.frames = PreparedFrames(self.pool, cache, self.archive.transcodes, lambda: self.disk)
        self.preparer = Preparer(self.archive, self.frames, self.clock, self.home / "cache" / "prepared")

    def store(self, dataset: Dataset, syntax: str) -> StoredInstance:
        """Store an object."""
        self.archive.ingest.receive_file(BytesIO(part10(dataset, syntax)), sender())
        (found,) = self.archive.reading.instances(dataset.StudyInstanceUID, "", dataset.SOPInstanceUID)
        return found

    def kept(self) -> int:
        """How many frames are kept."""
        return len(list((self.home / "cache").glob("*/*.frame")))

    def close(self) -> None:
        """End it."""
        self.pool.close()
        self.archive.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.close()


def encapsulated(*frames: bytes, **overrides: object) -> Dataset:
    dataset = ct(NumberOfFrames=len(frames), **overrides)
    dataset.PixelData = encapsulate(list(frames))
    dataset["PixelData"].is_undefined_length = True
    return dataset


FRAMES = (b"\1\0" * 256, b"\2\0" * 256)


def test_a_frame_is_decoded_once_and_kept(box: Box) -> None:
    stored = box.store(encapsulated(*FRAMES), PLAIN)
    assert box.frames.frame(stored, 2).data == FRAMES[1]
    box.pool.close()
    box.restart()
    assert box.frames.frame(stored, 2).data == FRAMES[1]
    with pytest.raises(CodecFault):
        box.frames.frame(stored, 1)


def test_what_no_decoder_reads_is_recorded_and_not_tried_again(box: Box) -> None:
    stored = box.store(encapsulated(b"\xff\x0a no image"), JPEG_XL)
    before = stored.path.read_bytes()
    with pytest.raises(CodecFault):
        box.frames.frame(stored, 1)
    (record,) = box.archive.transcodes.records(stored.study_uid)
    assert record.fault == "refused"
    box.pool.close()
    with pytest.raises(CodecFault) as fault:
        box.frames.frame(stored, 1)
    assert fault.value.kind is Kind.REFUSED
    assert stored.path.read_bytes() == before


def test_a_frame_that_is_not_there_is_no_record(box: Box) -> None:
    stored = box.store(encapsulated(*FRAMES), PLAIN)
    with pytest.raises(CodecFault) as fault:
        box.frames.frame(stored, 3)
    assert fault.value.kind is Kind.ABSENT
    assert box.archive.transcodes.count() == 0


def test_a_quiet_series_is_prepared_and_a_growing_one_waits(box: Box) -> None:
    box.store(encapsulated(*FRAMES), PLAIN)
    assert box.preparer.look() == 0
    box.clock.advance(QUIET_SECONDS)
    box.store(encapsulated(*FRAMES), PLAIN)
    assert box.preparer.look() == 1
    assert box.kept() == 2
    box.clock.advance(QUIET_SECONDS)
    assert box.preparer.look() == 1
    assert box.kept() == 4


def test_a_restarted_preparer_goes_on_where_it_was(box: Box) -> None:
    box.store(encapsulated(*FRAMES), PLAIN)
    box.store(encapsulated(b"\xff\x0a no image"), JPEG_XL)
    box.store(ct(), "1.2.840.10008.1.2.1")
    box.clock.advance(QUIET_SECONDS)
    assert box.preparer.look() == 2
    assert box.archive.transcodes.count() == 1
    box.restart()
    assert box.preparer.look() == 0


def test_a_disk_that_is_short_gets_the_cache_back(box: Box) -> None:
    stored = box.store(encapsulated(*FRAMES), PLAIN)
    box.frames.frame(stored, 1)
    assert box.kept() == 1
    box.disk = Disk(free_bytes=2 << 30, reserve_bytes=1 << 30)
    box.preparer.look()
    assert box.kept() == 0
    box.frames.frame(stored, 1)
    assert box.kept() == 0


def test_the_verb_prepares_and_says_what_it_cannot(tmp_path: Path) -> None:
    with Appliance(tmp_path / "home") as appliance:
        appliance.command("init")
        good, bad = encapsulated(*FRAMES), encapsulated(b"\xff\x0a no image")
        folder = tmp_path / "files"
        folder.mkdir()
        (folder / "good.dcm").write_bytes(part10(good, PLAIN))
        (folder / "bad.dcm").write_bytes(part10(bad, JPEG_XL))
        appliance.command("import", str(folder))
        done = appliance.command("transcode", good.StudyInstanceUID, "--json")
        assert json.loads(done.stdout) == {"objects": 1, "frames": 2, "unreadable": []}
        found = appliance.command("transcode", "--all-unreadable", "--json", check=False)
        assert found.returncode == 1
        assert [one["fault"] for one in json.loads(found.stdout)["unreadable"]] == ["refused"]
        status = appliance.command("status", "--json", check=False)
        assert json.loads(status.stdout)["unreadable_pixels"] == 1
        assert appliance.command("transcode", "1.2.3.4", check=False).returncode == 66
        assert appliance.command("transcode", check=False).returncode == 2
