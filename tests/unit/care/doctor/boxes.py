"""A box for the doctor whose machine is a directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance import places
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import State, Verdict
from appliance.clock import Clock, SystemClock
from appliance.config import Settings


def box(
    tmp_path: Path, settings: Mapping[str, Any] | None = None, *, clock: Clock | None = None,
    origins: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None, user: int = 0,
) -> Box:  # fmt: skip
    """Return a box with its home in `tmp_path`, below whose `root` the machine lies."""
    root = tmp_path / "root"
    root.mkdir(parents=True, exist_ok=True)
    values = {"home": tmp_path / "home", **(settings or {})}
    return Box(Settings(**values), origins or {}, environ or {}, root, clock or SystemClock(), user)


def packaged(tmp_path: Path, settings: Mapping[str, Any] | None = None) -> Box:
    """Return a box that the package has set up."""
    found = box(tmp_path, {"home": places.HOME, **(settings or {})})
    found.place(places.LIB).mkdir(parents=True)
    return found


def put(found: Box, path: str | Path, text: str) -> Path:
    """Write a file of the machine."""
    place = found.place(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def mended(verdict: Verdict, state: State, what: str, mend: str) -> None:
    """Assert a verdict: its state, words of what was seen, words of the mend."""
    assert (verdict.state, what in verdict.what, mend in verdict.mend) == (state, True, True), verdict
