"""Deliveries of real DICOM files, as the archive hands them out."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom import Dataset

from appliance.archive.group2 import Labels, encode
from appliance.archive.outbox import Delivery, DeliveryBlob
from appliance.dicomweb.outgoing import Instance
from tests.builders.instances import ct
from tests.builders.instances import encode as data_set_bytes

SYNTAX = "1.2.840.10008.1.2.1"


class Objects:
    """Makes files below `directory`, with our own group 2, and deliveries of them with rising event ids."""

    def __init__(self, directory: Path) -> None:
        """Take a directory; it is made."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._ids = itertools.count(1)

    def row(self, dataset: Dataset | None = None, **changes: Any) -> Delivery:
        """Return the delivery of a CT slice, or of `dataset`."""
        dataset = dataset if dataset is not None else ct()
        return replace(delivery(dataset, next(self._ids), self.blob(dataset)), **changes)

    def rows(self, count: int) -> list[Delivery]:
        """Return the deliveries of so many instances."""
        return [self.row() for _ in range(count)]

    def blob(self, dataset: Dataset) -> DeliveryBlob:
        """Write the file of a data set."""
        labels = Labels(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), SYNTAX)
        head, data = encode(labels, "SCANNER"), data_set_bytes(dataset, SYNTAX)
        digest = hashlib.sha256(data).hexdigest()
        path = self._directory / f"{digest}.dcm"
        path.write_bytes(head + data)
        return DeliveryBlob(path, len(head), len(data), len(head) + len(data), SYNTAX, digest)


def delivery(dataset: Dataset, number: int, blob: DeliveryBlob) -> Delivery:
    """Return the delivery of one object as event `number`."""
    return Delivery(
        event_id=number, tenant="default", kind="object", payload="{}",
        study_uid=str(dataset.StudyInstanceUID), series_uid=str(dataset.SeriesInstanceUID),
        sop_uid=str(dataset.SOPInstanceUID), message_key=f"key-{number}", revision=number,
        trace_id=f"trace-{number}", traceparent="", attempts=0, created_at=1_700_000_000_000_000,
        sop_class_uid=str(dataset.SOPClassUID), source_ae="SCANNER", blob=blob,
    )  # fmt: skip


def damaged(row: Delivery) -> Delivery:
    """Return a delivery whose file has lost the byte it ends with for another."""
    assert row.blob is not None
    data = bytearray(row.blob.path.read_bytes())
    data[-1] ^= 0xFF
    path = row.blob.path.with_suffix(".bad")
    path.write_bytes(data)
    return replace(row, blob=replace(row.blob, path=path))


def instance(row: Delivery) -> Instance:
    """Return a delivery's file as the DICOMweb client takes it."""
    blob = row.blob
    assert blob is not None
    return Instance(blob.path, blob.file_size, blob.offset, blob.digest)
