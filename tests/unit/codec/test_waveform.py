"""Recordings drawn as SVG."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from appliance.codec.recording import recordings
from appliance.codec.waveform import MM_PER_MILLIVOLT, svg, thinned
from tests.builders.papers import electrocardiogram

LEADS = ("Lead I", "Lead II", "Lead III")


def test_samples_become_millivolts() -> None:
    samples = np.array([[200, 0, -200]] * 4, np.int16)
    (recording,), complaints = recordings(electrocardiogram(samples, LEADS))
    assert [lead.label for lead in recording.leads] == ["I", "II", "III"]
    assert [float(lead.values[0]) for lead in recording.leads] == [1.0, 0.0, -1.0]
    assert not complaints


def test_the_scale_is_25_mm_a_second_and_10_mm_a_millivolt() -> None:
    samples = np.zeros((501, 1), np.int16)
    samples[500] = 200  # one millivolt after one second
    (recording,), _ = recordings(electrocardiogram(samples, ["Lead II"]))
    points = re.findall(r"[ML]([\d.]+) ([\d.]+)", svg([recording]).split("h2v-10h5v10h2")[1])
    (x0, y0), (x1, y1) = [tuple(map(float, point)) for point in (points[0], points[-1])]
    assert x1 - x0 == pytest.approx(25.0, abs=0.02)
    assert y0 - y1 == pytest.approx(MM_PER_MILLIVOLT, abs=0.02)


def test_the_drawing_is_xml_without_scripts_and_with_labels() -> None:
    samples = np.zeros((100, 2), np.int16)
    (recording,), _ = recordings(electrocardiogram(samples, ["<V1>", "aVR"]))
    root = ET.fromstring(svg([recording], ["a & b"]))
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "<V1>" in words
    assert "aVR" in words
    assert "a & b" in words
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_a_long_recording_keeps_its_peaks_in_fewer_points() -> None:
    values = np.zeros(1_000_000)
    values[777_777] = 5.0
    places, kept = thinned(values, 1000)
    assert kept.size <= 1000
    assert kept.max() == 5.0
    assert 777_777 in places
    assert np.all(np.diff(places) >= 0)


def test_only_the_first_minute_is_drawn_and_said() -> None:
    samples = np.zeros((100 * 90, 1), np.int16)
    (recording,), _ = recordings(electrocardiogram(samples, ["II"], frequency=100.0))
    assert "the first 60 s of 90 s" in svg([recording])


def test_padding_is_a_gap() -> None:
    dataset = electrocardiogram(np.array([[1], [-32768], [2]], np.int16), ["II"])
    dataset.WaveformSequence[0].add_new("WaveformPaddingValue", "OW", np.array([-32768], "<i2").tobytes())
    (recording,), _ = recordings(dataset)
    assert math.isnan(recording.leads[0].values[1])
    assert svg([recording]).count("M") >= 2


@pytest.mark.parametrize(
    "change",
    [
        {"SamplingFrequency": 0}, {"NumberOfWaveformChannels": 0}, {"WaveformSampleInterpretation": "XX"},
        {"WaveformData": b""}, {"NumberOfWaveformChannels": 60000},
    ],
)  # fmt: skip
def test_a_recording_that_cannot_be_read_is_a_sentence(change: dict[str, object]) -> None:
    dataset = electrocardiogram(np.zeros((4, 2), np.int16), LEADS[:2])
    for keyword, value in change.items():
        setattr(dataset.WaveformSequence[0], keyword, value)
    found, complaints = recordings(dataset)
    assert not found
    assert complaints[0].startswith("Recording 1 cannot be shown")


def test_another_unit_is_drawn_but_not_to_scale() -> None:
    dataset = electrocardiogram(np.array([[0], [100]], np.int16), ["Pressure"])
    dataset.WaveformSequence[0].ChannelDefinitionSequence[0].ChannelSensitivityUnitsSequence[0].CodeValue = "mm[Hg]"
    (recording,), _ = recordings(dataset)
    assert "mm[Hg], not to scale" in svg([recording])


def test_a_real_electrocardiogram_is_drawn() -> None:
    path = get_testdata_file("waveform_ecg.dcm")
    assert isinstance(path, str)
    found, complaints = recordings(pydicom.dcmread(path))
    assert [len(recording.leads) for recording in found] == [12, 12]
    assert not complaints
    assert len(svg(found)) < 4_000_000


def test_companded_samples_are_expanded() -> None:
    dataset = electrocardiogram(np.zeros((4, 1), np.int16), ["II"])
    group = dataset.WaveformSequence[0]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 8, "MB"
    group.WaveformData = bytes([0xFF, 0x7F, 0x80, 0x00])
    (recording,), _ = recordings(dataset)
    steps = [round(float(value) / 0.005) for value in recording.leads[0].values]
    assert steps == [0, 0, 32124, -32124]
