"""The disk below the home: space, file system, how soon it says that bytes are durable, encryption at rest."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from pathlib import Path

from appliance.archive.reserve import Disk
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Verdict, fault, ok, skipped, together, warning
from appliance.care.doctor.mounts import Mount, leaves, mount_of, mounts

GIB = 1 << 30
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "fuse.sshfs", "fuse.glusterfs", "afs", "ncpfs"}
)
FLEETING = frozenset({"tmpfs", "ramfs"})
CARELESS = frozenset({"nobarrier", "barrier=0", "nolog", "disable_roll_forward"})
SOLID = frozenset({"ext4", "ext3", "xfs", "btrfs", "zfs", "f2fs"})
WRITES, BLOCK = 8, b"\0" * 65536
SLOW_SECONDS, ILL_SECONDS = 0.1, 1.0
PROBE = ".doctor"
LEAST_INODES = 0.05


def space(box: Box, _subject: str) -> Verdict:
    """Hold the free bytes and inodes against the reserve."""
    try:
        found = os.statvfs(box.settings.home)
    except OSError as error:
        return fault(f"{box.settings.home}: {error.strerror}", "mount its disk, or run: appliance init")
    disk = Disk(found.f_bavail * found.f_frsize, box.settings.archive.reserve_bytes)
    free = f"{disk.free_bytes / GIB:.1f} GiB are free, {disk.reserve_bytes / GIB:.1f} GiB are kept in reserve"
    if not disk.accepting:
        return fault(f"{free}: the door refuses", "free some space, or see docs/retention.md")
    if found.f_files and found.f_favail < LEAST_INODES * found.f_files:
        return fault(f"only {found.f_favail} inodes are left", "remove small files, or make a file system with more")
    if disk.free_bytes < 2 * disk.reserve_bytes:
        return warning(f"{free}: it is nearly full", "free some space, or set retention limits (docs/retention.md)")
    return ok(free)


def file_system(box: Box, _subject: str) -> Verdict:
    """Look at what kind of file system the home lies on, and how it is mounted."""
    known = mounts(box.place("/proc"))
    mount = mount_of(box.settings.home, known)
    if mount is None:
        return skipped("the kernel does not say what the home lies on")
    return together(list(_of_mount(mount)), ok(f"{mount.kind} at {mount.point}"))


def _of_mount(mount: Mount) -> Iterator[Verdict]:
    if mount.is_read_only:
        yield fault(
            f"{mount.point} is mounted read-only",
            f"see dmesg for errors of the disk; mount -o remount,rw {mount.point}",
        )
    if mount.kind in NETWORK:
        mend = "put the home on a disk of this machine; locks and fsync of a network file system do not hold"
        yield fault(f"{mount.point} is a network file system ({mount.kind})", mend)
    elif mount.kind in FLEETING:
        yield fault(f"{mount.point} is {mount.kind}: gone at a restart", "put the home on a disk")
    elif mount.kind not in SOLID:
        yield warning(f"{mount.point} is {mount.kind}, which was not tried", "use ext4 or xfs on a disk of its own")
    if careless := sorted(mount.options & CARELESS):
        yield fault(
            f"{mount.point} is mounted with {', '.join(careless)}: a power cut loses data", "remove that option"
        )


def latency(box: Box, _subject: str) -> Verdict:
    """Write a little and fsync it, several times; the file is removed again."""
    path = box.settings.home / f"{PROBE}-{os.getpid()}"
    try:
        seconds = _fsync_seconds(box, path)
    except PermissionError:
        return skipped("this user may not write into the home")
    except OSError as error:
        return fault(f"cannot write into {box.settings.home}: {error.strerror}", "check the disk: dmesg, df")
    middle, worst = statistics.median(seconds), max(seconds)
    what = f"fsync takes {middle * 1000:.1f} ms, at worst {worst * 1000:.1f} ms"
    if middle > ILL_SECONDS:
        return fault(what, "the disk is ill or overloaded: see dmesg, and what else writes")
    if middle > SLOW_SECONDS:
        return warning(what, "a solid-state disk of its own for the home takes a few ms")
    return ok(what)


def _fsync_seconds(box: Box, path: Path) -> list[float]:
    found, monotonic = [], box.clock.monotonic
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        for _ in range(WRITES):
            begun = monotonic()
            os.write(descriptor, BLOCK)
            os.fsync(descriptor)
            found.append(monotonic() - begun)
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)
    return found


def encryption(box: Box, _subject: str) -> Verdict:
    """Say whether what the home holds can be read from a stolen disk, as far as the kernel knows."""
    known = mounts(box.place("/proc"))
    mount = mount_of(box.settings.home, known)
    if mount is None:
        return skipped("the kernel does not say what the home lies on")
    if mount.kind in NETWORK or mount.kind in FLEETING or mount.kind in ("overlay", "zfs"):
        return skipped(f"{mount.point} is {mount.kind}: this machine cannot tell")
    found = list(leaves(box.place("/sys"), _device(box, mount)))
    if found and all(found):
        return ok(f"{mount.point} lies on dm-crypt")
    mend = "put /var on LUKS (docs/install.md), unless the drive encrypts itself: the kernel cannot see that"
    return warning(f"{mount.point} ({mount.source}) is not encrypted: a stolen disk can be read", mend)


def _device(box: Box, mount: Mount) -> str:
    """Return "major:minor"; btrfs names one of its own, so its source is asked."""
    if not mount.device.startswith("0:"):
        return mount.device
    try:
        number = box.place(mount.source).stat().st_rdev
    except OSError:
        return mount.device
    return f"{os.major(number)}:{os.minor(number)}"


def swap(box: Box, _subject: str) -> Verdict:
    """See whether memory, and patients in it, may end up on a disk as they are."""
    try:
        lines = box.place("/proc/swaps").read_text(encoding="utf-8").splitlines()[1:]
    except OSError:
        return skipped("the kernel does not tell of swap")
    areas = [line.split()[0] for line in lines if line.strip()]
    plain = [area for area in areas if not _is_safe(box, area)]
    if plain:
        mend = "encrypt it (crypttab(5)), use zram, or run: swapoff -a"
        return warning(f"{', '.join(plain)} is not encrypted: pixels in memory may be written there", mend)
    return ok(f"{len(areas)} areas, encrypted or in memory" if areas else "none")


def _is_safe(box: Box, area: str) -> bool:
    if area.startswith("/dev/zram"):
        return True
    path = box.place(area)
    try:
        facts = path.stat()
        number = facts.st_rdev or facts.st_dev  # a device, or a file on one
    except OSError:
        return False
    found = list(leaves(box.place("/sys"), f"{os.major(number)}:{os.minor(number)}"))
    return bool(found) and all(found)
