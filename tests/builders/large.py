"""One huge object, written without being held in memory."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from pydicom.uid import generate_uid

from appliance.archive.group2 import Labels, encode
from appliance.archive.outbox import Delivery, DeliveryBlob
from tests.builders.instances import ct
from tests.builders.instances import encode as data_set_bytes
from tests.builders.objects import SYNTAX, delivery

BLOCK = 1 << 20


def large_row(folder: Path, size: int) -> Delivery:
    """Return the delivery of a CT instance with `size` bytes of pixel data (a multiple of 1 MiB)."""
    dataset = ct(SOPInstanceUID=generate_uid(), PixelData=None)
    start = data_set_bytes(dataset, SYNTAX) + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, size)
    head = encode(Labels(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), SYNTAX), "SCANNER")
    digest = hashlib.sha256(start)
    path = folder / "large.dcm"
    with path.open("wb") as file:
        file.write(head + start)
        for number in range(size // BLOCK):
            block = struct.pack("<L", number) * (BLOCK // 4)
            digest.update(block)
            file.write(block)
    length = len(start) + size
    blob = DeliveryBlob(path, len(head), length, len(head) + length, SYNTAX, digest.hexdigest())
    return delivery(dataset, 1, blob)
