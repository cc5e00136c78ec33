"""Memory of another process, as the kernel counts it."""

from __future__ import annotations

from pathlib import Path


def resident_bytes(pid: int) -> int:
    """Resident set size now, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no resident memory")


def peak_resident_bytes(pid: int) -> int:
    """The most it has had resident since its start or the last reset, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no resident memory")


def reset_peak(pid: int) -> None:
    """Start counting the peak anew (Linux: 5 written to clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def own_bytes(pid: int) -> int:
    """Memory that is of this process alone, in bytes: what grows when it keeps something.

    Unlike the proportional size it does not move when another process that maps the same files comes or goes.
    """
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no memory of its own")


def proportional_bytes(pid: int) -> int:
    """Proportional set size now, in bytes: what is shared with other processes counts in parts."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no resident memory")
