"""Objects that are read: structured reports, PDF, electrocardiograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom import Sequence as Items

from tests.builders.instances import ct

COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
TWELVE_LEAD_ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
_NO_PIXELS: dict[str, Any] = dict.fromkeys(
    (
        "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit",
        "PixelRepresentation", "PixelData",
    )
)  # fmt: skip


def coded(meaning: str, value: str = "1234", scheme: str = "99TEST") -> Items:
    """Return a code sequence of one item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Items([item])


def content(kind: str, concept: str = "", children: Sequence[Dataset] = (), **values: Any) -> Dataset:
    """Return a content item."""
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    if kind:
        item.ValueType = kind
    if concept:
        item.ConceptNameCodeSequence = coded(concept)
    for keyword, value in values.items():
        setattr(item, keyword, value)
    if children:
        item.ContentSequence = Items(children)
    return item


def referring(sop_uid: str, sop_class_uid: str = "1.2.840.10008.5.1.4.1.1.2", **values: Any) -> Items:
    """Return a Referenced SOP Sequence."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_uid
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return Items([item])


def structured_report(children: Sequence[Dataset], title: str = "Chest report", **overrides: Any) -> Dataset:
    """Return a Comprehensive SR with these content items."""
    dataset = ct(**{**_NO_PIXELS, "SOPClassUID": COMPREHENSIVE_SR, "Modality": "SR", **overrides})
    dataset.ValueType = "CONTAINER"
    dataset.ConceptNameCodeSequence = coded(title)
    if children:
        dataset.ContentSequence = Items(children)
    return dataset


def evidence(dataset: Dataset, study_uid: str, series_uid: str, sop_uid: str) -> Dataset:
    """List an object as current evidence of a report."""
    series, study = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = series_uid, referring(sop_uid)
    study.StudyInstanceUID, study.ReferencedSeriesSequence = study_uid, Items([series])
    dataset.CurrentRequestedProcedureEvidenceSequence = Items([study])
    return dataset


def pdf(data: bytes = PDF, **overrides: Any) -> Dataset:
    """Return an Encapsulated PDF."""
    dataset = ct(**{**_NO_PIXELS, "SOPClassUID": ENCAPSULATED_PDF, "Modality": "DOC", **overrides})
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(data)
    dataset.EncapsulatedDocument = data + b"\0" * (len(data) % 2)
    return dataset


def electrocardiogram(samples: NDArray[np.int16], leads: Sequence[str], frequency: float = 500.0) -> Dataset:
    """Return a recording of (time, channel) samples, 5 µV a step."""
    dataset = ct(**{**_NO_PIXELS, "SOPClassUID": TWELVE_LEAD_ECG, "Modality": "ECG"})
    group = Dataset()
    group.MultiplexGroupLabel = "RHYTHM"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = samples.shape[1], samples.shape[0]
    group.SamplingFrequency = frequency
    group.ChannelDefinitionSequence = Items([_channel(lead) for lead in leads])
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.add_new("WaveformData", "OW", samples.astype("<i2").tobytes())
    dataset.WaveformSequence = Items([group])
    return dataset


def _channel(lead: str) -> Dataset:
    channel = Dataset()
    channel.ChannelSourceSequence = coded(lead, "2:1", "MDC")
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = 5, 1
    channel.ChannelSensitivityUnitsSequence = coded("microvolt", "uV", "UCUM")
    channel.ChannelBaseline = 0
    channel.WaveformBitsStored = 16
    return channel
