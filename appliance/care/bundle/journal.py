"""What the service manager knows of our units: their states, and the end of their journal without DEBUG lines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

SYSTEMD: Final = Path("/run/systemd/system")
PATTERNS: Final = ("dicom-edge-*", "appliance.target", "central.target")
LINES: Final = 2000
DEBUG_PRIORITY: Final = 7
_DEBUG: Final = re.compile(r"\[debug\s*\]|\"level\":\s*\"debug\"|\bDEBUG\b")
PROPERTIES: Final = (
    "Id,LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,ActiveEnterTimestamp,MemoryCurrent,UnitFileState"
)
# What a command prints, or None where it cannot be run.
Run = Callable[[Sequence[str]], bytes | None]


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of the journal, and how many DEBUG lines there were among them."""

    lines: tuple[str, ...]
    debug: int


def is_there() -> bool:
    """Say whether systemd runs this machine (sd_booted(3))."""
    return SYSTEMD.is_dir()


def states(run: Run) -> list[str]:
    """Return how our units are, as `systemctl show` has it."""
    found = run(["systemctl", "show", "--no-pager", f"--property={PROPERTIES}", *PATTERNS])
    return (found or b"").decode("utf-8", "backslashreplace").splitlines()


def excerpt(run: Run) -> Lines:
    """Return the last lines of our units, the oldest first, without those of severity DEBUG."""
    units = [word for pattern in PATTERNS for word in ("--unit", pattern)]
    found = run(["journalctl", "--no-pager", "--output=json", f"--lines={LINES}", *units]) or b""
    kept, debug = [], 0
    for entry in _entries(found):
        message = _text(entry.get("MESSAGE"))
        if is_debug(message, entry.get("PRIORITY")):
            debug += 1
            continue
        kept.append(f"{_moment(entry)} {_unit(entry)}: {message}")
    return Lines(tuple(kept), debug)


def is_debug(message: str, priority: object = None) -> bool:
    """Say whether a line is of severity DEBUG, by the journal's word or its own: such lines may tell of patients."""
    return str(priority) == str(DEBUG_PRIORITY) or bool(_DEBUG.search(message))


def _entries(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry


def _unit(entry: dict[str, Any]) -> str:
    """Return the unit that a line is from, or the one that the service manager speaks of."""
    return _text(entry.get("UNIT") or entry.get("_SYSTEMD_UNIT"))


def _text(value: object) -> str:
    """Return a field's text; the journal has bytes that are no UTF-8 as a list of numbers."""
    if isinstance(value, list):
        return bytes(number for number in value if isinstance(number, int)).decode("latin-1")
    return "" if value is None else str(value)


def _moment(entry: dict[str, Any]) -> str:
    try:
        seconds = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
    except (KeyError, ValueError):
        return "-"
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
