"""Recordings of a waveform object: leads and their samples in millivolts (PS3.3 C.10.9)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from appliance.codec.content import code
from appliance.codec.groups import first_item, items, number, text, value
from appliance.codec.refusal import Refusal

MOST_GROUPS: Final = 16
MOST_LEADS: Final = 64
_SAMPLES: Final[Mapping[str, str]] = {
    "SB": "<i1", "UB": "<u1", "SS": "<i2", "US": "<u2", "SL": "<i4", "UL": "<u4", "SV": "<i8", "UV": "<u8",
}  # fmt: skip
_MULAW: Final = "MB"
_ALAW: Final = "AB"
_MILLIVOLTS: Final[Mapping[str, float]] = {"V": 1000.0, "mV": 1.0, "uV": 0.001, "µV": 0.001, "nV": 0.000001}


@dataclass(frozen=True, slots=True)
class Lead:
    """One channel. `values` are millivolts where `millivolts` holds, else of `unit`; NaN where padded."""

    label: str
    unit: str
    millivolts: bool
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recording:
    """Channels sampled together, `frequency` times a second."""

    label: str
    frequency: float
    leads: tuple[Lead, ...]

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return max(lead.values.size for lead in self.leads) / self.frequency


def recordings(dataset: Dataset) -> tuple[list[Recording], list[str]]:
    """Return what can be read, and a sentence for each multiplex group that cannot."""
    found: list[Recording] = []
    complaints: list[str] = []
    groups = items(dataset, "WaveformSequence")
    for place, group in enumerate(groups[:MOST_GROUPS], 1):
        try:
            found.append(_recording(group))
        except Refusal as error:
            complaints.append(f"Recording {place} cannot be shown: {error.reason}")
    if len(groups) > MOST_GROUPS:
        complaints.append(f"{len(groups) - MOST_GROUPS} more recordings are not shown.")
    return found, complaints


def _recording(group: Dataset) -> Recording:
    frequency = number(group, "SamplingFrequency") or 0.0
    channels = int(number(group, "NumberOfWaveformChannels") or 0)
    if not 0.01 <= frequency <= 1e6 or not 1 <= channels <= 4096:
        raise Refusal("it does not say how it was sampled.")
    samples = _samples(group, channels)
    definitions = items(group, "ChannelDefinitionSequence")
    padding = _padding(group)
    leads = tuple(_leads(samples, definitions, padding))
    return Recording(text(group, "MultiplexGroupLabel"), frequency, leads)


def _samples(group: Dataset, channels: int) -> NDArray[np.generic]:
    """Return samples as (time, channel)."""
    data = value(group, "WaveformData")
    kind = text(group, "WaveformSampleInterpretation").upper()
    stored = _SAMPLES.get(kind, "<u1" if kind in (_MULAW, _ALAW) else "")
    if not isinstance(data, bytes) or not stored:
        raise Refusal("it has no samples, or of a kind that is not known.")
    size = np.dtype(stored).itemsize
    count = min(len(data) // size // channels, int(number(group, "NumberOfWaveformSamples") or len(data)))
    if count < 1:
        raise Refusal("it has fewer samples than channels.")
    read = np.frombuffer(data, stored, count * channels).reshape(count, channels)
    return _EXPANDED[kind](read) if kind in _EXPANDED else read


def _mulaw(samples: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return 14-bit values of G.711 mu-law samples."""
    flipped = ~samples.astype(np.uint8)
    step = (((flipped & 0x0F).astype(np.int64) << 3) + 0x84) << ((flipped & 0x70).astype(np.int64) >> 4)
    return np.where(flipped & 0x80, 0x84 - step, step - 0x84).astype(np.float64)


def _alaw(samples: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return 13-bit values of G.711 A-law samples."""
    flipped = samples.astype(np.uint8) ^ 0x55
    part = (flipped & 0x0F).astype(np.int64) << 4
    segment = (flipped & 0x70).astype(np.int64) >> 4
    step = np.where(segment == 0, part + 8, (part + 0x108) << np.maximum(segment - 1, 0))
    return np.where(flipped & 0x80, step, -step).astype(np.float64)


_EXPANDED = {_MULAW: _mulaw, _ALAW: _alaw}


def _padding(group: Dataset) -> float | None:
    raw = value(group, "WaveformPaddingValue")
    stored = _SAMPLES.get(text(group, "WaveformSampleInterpretation").upper())
    if not isinstance(raw, bytes) or not stored or len(raw) < np.dtype(stored).itemsize:
        return None
    return float(np.frombuffer(raw, stored, 1)[0])


def _leads(samples: NDArray[np.generic], definitions: list[Dataset], padding: float | None) -> Iterator[Lead]:
    for place in range(min(samples.shape[1], MOST_LEADS)):
        definition = definitions[place] if place < len(definitions) else Dataset()
        stored = samples[:, place].astype(np.float64)
        if padding is not None:
            stored[stored == padding] = math.nan
        sensitivity = number(definition, "ChannelSensitivity")
        correction = number(definition, "ChannelSensitivityCorrectionFactor")
        scale = (1.0 if sensitivity is None else sensitivity) * (1.0 if correction is None else correction)
        unit_item = first_item(definition, "ChannelSensitivityUnitsSequence")
        unit = text(unit_item, "CodeValue") if unit_item is not None else ""
        values = stored * scale + (number(definition, "ChannelBaseline") or 0.0)
        known = sensitivity is not None and unit in _MILLIVOLTS
        yield Lead(_label(definition, place), unit, known, values * _MILLIVOLTS[unit] if known else values)


def _label(definition: Dataset, place: int) -> str:
    source = code(first_item(definition, "ChannelSourceSequence")).removeprefix("Lead ")
    return source or text(definition, "ChannelLabel") or f"Channel {place + 1}"
