"""The disk below the home: space, file systems, fsync, encryption at rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.care.doctor import disk
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import State
from appliance.care.doctor.mounts import leaves, mount_of, mounts
from tests.clocks import FakeClock
from tests.unit.care.doctor.boxes import box, mended, put

LINE = "36 35 {device} / {point} rw,relatime shared:1 - {kind} {source} {options}\n"


def mounted(found: Box, kind: str = "ext4", options: str = "rw", device: str = "8:1", source: str = "/dev/sda1") -> Box:
    first = LINE.format(device="8:9", point="/", kind="ext4", source="/dev/sda9", options="rw")
    home = LINE.format(device=device, point=found.settings.home.resolve(), kind=kind, source=source, options=options)
    put(found, "/proc/self/mountinfo", first + home)
    return found


def block(found: Box, name: str, *slaves: str, uuid: str = "") -> None:
    folder = found.place(f"/sys/dev/block/{name}")
    (folder / "slaves").mkdir(parents=True, exist_ok=True)
    for slave in slaves:
        (folder / "slaves" / slave.replace(":", "-")).symlink_to(found.place(f"/sys/dev/block/{slave}"))
    if uuid:
        put(found, f"/sys/dev/block/{name}/dm/uuid", uuid)


def test_the_longest_mount_counts_and_blanks_are_read_back(tmp_path: Path) -> None:
    found = box(tmp_path)
    text = LINE.format(device="8:1", point="/", kind="ext4", source="a", options="rw")
    text += LINE.format(device="8:2", point="/srv/my\\040images", kind="xfs", source="b", options="ro,noatime")
    put(found, "/proc/self/mountinfo", text)
    known = mounts(found.place("/proc"))
    mount = mount_of(Path("/srv/my images/home"), known)
    assert mount is not None
    assert (mount.point, mount.kind, mount.is_read_only) == ("/srv/my images", "xfs", True)
    other = mount_of(Path("/srv/my images2"), known)
    assert other is not None
    assert other.point == "/"


@pytest.mark.parametrize(
    ("kind", "options", "state", "what", "mend"),
    [
        ("ext4", "rw", State.OK, "ext4", ""),
        ("nfs4", "rw", State.FAULT, "network file system", "a disk of this machine"),
        ("tmpfs", "rw", State.FAULT, "gone at a restart", "on a disk"),
        ("ext4", "ro", State.FAULT, "read-only", "remount,rw"),
        ("ext4", "rw,nobarrier", State.FAULT, "power cut", "remove that option"),
        ("fuseblk", "rw", State.WARNING, "was not tried", "ext4 or xfs"),
    ],
)
def test_file_systems(tmp_path: Path, kind: str, options: str, state: State, what: str, mend: str) -> None:
    mended(disk.file_system(mounted(box(tmp_path), kind, options), ""), state, what, mend)


def test_luks_below_lvm_is_encrypted(tmp_path: Path) -> None:
    found = mounted(box(tmp_path), device="253:1", source="/dev/mapper/vg-var")
    block(found, "253:1", "253:0", uuid="LVM-abc")
    block(found, "253:0", "8:3", uuid="CRYPT-LUKS2-0123-var")
    block(found, "8:3")
    mended(disk.encryption(found, ""), State.OK, "dm-crypt", "")


def test_one_plain_leg_of_a_mirror_is_enough_for_a_warning(tmp_path: Path) -> None:
    found = mounted(box(tmp_path), device="9:0", source="/dev/md0")
    block(found, "9:0", "253:0", "8:17")
    block(found, "253:0", uuid="CRYPT-LUKS2-0123-a")
    block(found, "8:17")
    mended(disk.encryption(found, ""), State.WARNING, "/dev/md0", "LUKS")
    assert list(leaves(found.place("/sys"), "9:0")) == [True, False]


def test_encryption_that_cannot_be_seen_is_skipped(tmp_path: Path) -> None:
    mended(disk.encryption(mounted(box(tmp_path), "overlay"), ""), State.SKIPPED, "overlay", "")


def test_plain_swap_is_told_of_and_zram_is_not(tmp_path: Path) -> None:
    found = box(tmp_path)
    head = "Filename Type Size Used Priority\n"
    put(found, "/proc/swaps", head + "/dev/zram0 partition 1 0 100\n")
    mended(disk.swap(found, ""), State.OK, "1 areas", "")
    put(found, "/proc/swaps", head + "/dev/sda2 partition 1 0 -2\n")
    mended(disk.swap(found, ""), State.WARNING, "/dev/sda2", "swapoff")


def test_space_is_held_against_the_reserve(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    mended(
        disk.space(
            box(
                tmp_path,
                {
                    "archive": {"reserve_bytes": 1 << 60},
                },
            ),
            "",
        ),
        State.FAULT,
        "refuses",
        "free some",
    )
    mended(disk.space(box(tmp_path, {"archive": {"reserve_bytes": 0}}), ""), State.OK, "are free", "")
    mended(disk.space(box(tmp_path, {"home": tmp_path / "gone"}), ""), State.FAULT, "gone", "mount its disk")


class SlowClock(FakeClock):
    """Every reading takes as long as an fsync of a dying disk."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def monotonic(self) -> float:
        self.advance(self._seconds)
        return super().monotonic()


@pytest.mark.parametrize(("seconds", "state"), [(0.001, State.OK), (0.2, State.WARNING), (2.0, State.FAULT)])
def test_a_slow_fsync_is_told_of_and_the_probe_is_removed(tmp_path: Path, seconds: float, state: State) -> None:
    (tmp_path / "home").mkdir()
    assert disk.latency(box(tmp_path, clock=SlowClock(seconds)), "").state is state
    assert os.listdir(tmp_path / "home") == []
