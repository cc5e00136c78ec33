"""Memory, and the clock of this machine."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Verdict, fault, ok, skipped, warning

MIB = 1 << 20
LEAST_AVAILABLE, SCARCE = 128 * MIB, 384 * MIB
ONE_CODEC = 1024 * MIB
# timex.status, adjtimex(2).
UNSYNCHRONISED = 0x0040
TIME_ERROR = 5
FIRST_SANE_YEAR = 1_750_000_000
WIDE_SECONDS = 1.0


class _Timex(ctypes.Structure):
    """struct timex of Linux, as far as we read it; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_byte * 256),
    )  # fmt: skip


def memory(box: Box, _subject: str) -> Verdict:
    """See how much memory is left."""
    lines = box.place("/proc/meminfo").read_text(encoding="ascii").splitlines()
    facts = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines) if rest}
    total, available = facts["MemTotal"], facts["MemAvailable"]
    what = f"{available // MIB} MiB of {total // MIB} MiB are available"
    if available < LEAST_AVAILABLE:
        return fault(what, "end what else runs here, or give the machine more memory")
    if available < SCARCE:
        return warning(what, "see what else runs here (top), or lower codec.workers")
    if total < ONE_CODEC:
        return warning(what, "drawing large images needs more: give the machine 2 GiB")
    return ok(what)


def synchronised() -> tuple[bool, float]:
    """Ask the kernel whether its clock is disciplined, and how far off it may be, in seconds (adjtimex(2)).

    Raises OSError.
    """
    library, found = ctypes.CDLL(None, use_errno=True), _Timex()
    state = library.adjtimex(ctypes.byref(found))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return state != TIME_ERROR and not found.status & UNSYNCHRONISED, found.maxerror / 1e6


def clock(box: Box, _subject: str) -> Verdict:
    """See whether somebody sets the clock. Certificates, receipts and the order of records go by it."""
    now = box.clock.now() / 1e6
    if now < FIRST_SANE_YEAR:
        return fault("the clock is years behind", "set it, and let chrony or systemd-timesyncd keep it")
    try:
        disciplined, error = synchronised()
    except OSError as failure:
        return skipped(f"the kernel does not say whether the clock is synchronised ({failure.strerror})")
    if not disciplined:
        mend = "apt install chrony (or: timedatectl set-ntp true), and name the clinic's time server"
        return warning("nobody synchronises the clock", mend)
    if error > WIDE_SECONDS:
        return warning(
            f"synchronised, but it may be {error:.1f} s off", "see: chronyc tracking, or timedatectl timesync-status"
        )
    return ok(f"synchronised, at most {error * 1000:.0f} ms off")


def zone(box: Box, _subject: str) -> Verdict:
    """Hold the machine's time zone against the one that images without a zone are taken to be of."""
    ours, machine = box.settings.archive.timezone, _machine_zone(box)
    if not machine:
        return skipped(f"the machine names no zone; images without one are taken as {ours}")
    if ours != machine and "archive.timezone" not in box.origins and machine not in ("UTC", "Etc/UTC"):
        mend = f'set archive.timezone = "{machine}", or write UTC there if that is meant'
        return warning(f"the machine is in {machine}, images without a zone are taken as {ours}", mend)
    return ok(f"images without a zone are taken as {ours}; the machine is in {machine}")


def _machine_zone(box: Box) -> str:
    try:
        target = os.readlink(box.place("/etc/localtime"))
    except OSError:
        return ""
    _, _, name = str(Path(target)).partition("zoneinfo/")
    return name
