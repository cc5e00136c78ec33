"""The operation "waveform": an ECG or another recording as SVG, 25 mm/s and 10 mm/mV on graph paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.codec.byte_order import to_little_endian
from appliance.codec.recording import Lead, Recording, recordings
from appliance.codec.refusal import Refusal
from appliance.codec.report import clean

if TYPE_CHECKING:
    from appliance.codec.opened import Opened

MM_PER_SECOND: Final = 25.0
MM_PER_MILLIVOLT: Final = 10.0
LONGEST_SECONDS: Final = 60.0
MOST_POINTS: Final = 400_000
_MARGIN: Final = 15.0
_ROW: Final = 22.0
_LEAST_ABOVE: Final = 15.0
_LEAST_BELOW: Final = 9.0
_HIGHEST_ROW: Final = 80.0
_HEADING: Final = 10.0
_LEAST_POINTS: Final = 500

GRID: Final = (
    '<defs><pattern id="mm" width="1" height="1" patternUnits="userSpaceOnUse">'
    '<path d="M1 0H0V1" fill="none" stroke="#f3c6c6" stroke-width="0.08"/></pattern>'
    '<pattern id="cm" width="5" height="5" patternUnits="userSpaceOnUse"><rect width="5" height="5" fill="url(#mm)"/>'
    '<path d="M5 0H0V5" fill="none" stroke="#e08f8f" stroke-width="0.16"/></pattern></defs>'
)


@dataclass(frozen=True, slots=True)
class _Strip:
    """One lead's place: values in millimetres above its middle, and the room it takes."""

    lead: Lead
    heights: NDArray[np.float64]
    above: float
    below: float


def waveform(opened: Opened, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return facts {media_type, recordings, complaints} and an SVG file. Raises Refusal where nothing is readable."""
    found, complaints = recordings(to_little_endian(opened.dataset()))
    if not found:
        raise Refusal("the object has no waveform that can be read")
    drawing = svg(found, complaints)
    facts = {"media_type": "image/svg+xml", "recordings": len(found), "complaints": len(complaints)}
    return facts, drawing.encode()


def svg(found: Sequence[Recording], complaints: Sequence[str] = ()) -> str:
    """Return the drawing: each recording under the one before, one row per lead; user units are millimetres."""
    parts: list[str] = []
    top = 0.0
    width = 100.0
    share = MOST_POINTS // max(1, sum(len(recording.leads) for recording in found))
    for recording in found:
        body, wide, top = _recording(recording, top, max(share, _LEAST_POINTS))
        parts.append(body)
        width = max(width, wide)
    for complaint in complaints:
        top += 5.0
        parts.append(_text(2.0, top, complaint, 3.5))
    height = top + 5.0
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}mm"'
        f' height="{height:g}mm" font-family="sans-serif" role="img">{GRID}'
        f'<rect width="100%" height="100%" fill="#fffafa"/><rect width="100%" height="100%" fill="url(#cm)"/>'
        f"{''.join(parts)}</svg>"
    )


def _recording(recording: Recording, top: float, most: int) -> tuple[str, float, float]:
    """Return one recording's marks, the width it needs, and where it ends."""
    shown = min(recording.seconds, LONGEST_SECONDS)
    parts = [_text(2.0, top + 6.0, _heading(recording, shown), 4.0)]
    top += _HEADING
    for strip in _strips(recording, shown):
        middle = top + strip.above
        parts.append(_row(strip, middle, recording.frequency, most))
        top = middle + strip.below
    return "".join(parts), 2 * _MARGIN + shown * MM_PER_SECOND, top


def _heading(recording: Recording, shown: float) -> str:
    cut = f", the first {shown:g} s of {recording.seconds:.4g} s" if shown < recording.seconds else ""
    return f"{recording.label or 'Recording'}: 25 mm/s, 10 mm/mV, {recording.frequency:g} Hz{cut}"


def _strips(recording: Recording, shown: float) -> Iterator[_Strip]:
    count = max(1, round(shown * recording.frequency))
    for lead in recording.leads:
        values = lead.values[:count]
        known = values[np.isfinite(values)]
        if lead.millivolts:
            heights = values * MM_PER_MILLIVOLT
        else:  # no voltage: as high as two rows, whatever the unit
            low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
            heights = (values - (low + high) / 2) * (2 * _ROW / ((high - low) or 1.0))
        tall = heights[np.isfinite(heights)]
        above = float(np.clip(tall.max(initial=0.0) + 4, _LEAST_ABOVE, _HIGHEST_ROW))
        below = float(np.clip(4 - tall.min(initial=0.0), _LEAST_BELOW, _HIGHEST_ROW))
        yield _Strip(lead, np.clip(heights, -_HIGHEST_ROW, _HIGHEST_ROW), above, below)


def _row(strip: _Strip, middle: float, frequency: float, most: int) -> str:
    unit = "" if strip.lead.millivolts else f" ({strip.lead.unit or 'no unit'}, not to scale)"
    label = _text(4.0, middle - 11.0, strip.lead.label + unit, 3.5)
    pulse = f"M4 {middle:g}h2v-10h5v10h2" if strip.lead.millivolts else ""
    path = "".join(_paths(strip.heights, middle, frequency, most))
    return f'{label}<path d="{pulse}{path}" fill="none" stroke="#111" stroke-width="0.25" stroke-linejoin="round"/>'


def _paths(heights: NDArray[np.float64], middle: float, frequency: float, most: int) -> Iterator[str]:
    """Yield path commands; a gap where samples are missing starts a new line."""
    places, values = thinned(heights, most)
    across = _MARGIN + places / frequency * MM_PER_SECOND
    pen_down = False
    for x, value in zip(across.tolist(), values.tolist(), strict=True):
        if value != value:
            pen_down = False
            continue
        yield f"{'L' if pen_down else 'M'}{x:.2f} {middle - value:.2f}"
        pen_down = True


def thinned(values: NDArray[np.float64], most: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return places and values of at most about `most` samples: the lowest and highest of each stretch stay."""
    if values.size <= most:
        return np.arange(values.size), values
    stretch = -(-values.size * 2 // most)
    whole = values.size // stretch * stretch
    blocks = values[:whole].reshape(-1, stretch)
    safe = np.nan_to_num(blocks, nan=0.0)
    picks = np.stack([safe.argmin(axis=1), safe.argmax(axis=1)], axis=1)
    places = (np.sort(picks, axis=1) + np.arange(blocks.shape[0])[:, None] * stretch).reshape(-1)
    return places, values[places]


def _text(x: float, y: float, words: str, size: float) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="#333">{clean(words)}</text>'
