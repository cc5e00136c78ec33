"""How a batch of objects is divided into requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.archive.outbox import Delivery
from appliance.dicomweb.outgoing import Instance
from appliance.sync.envelope import OBJECT, object_path
from appliance.sync.sinks.contract import RowFault


@dataclass(frozen=True, slots=True)
class Parcel:
    """One object on its way: the row, its UID and its file."""

    row: Delivery
    sop_uid: str
    instance: Instance

    @property
    def event_id(self) -> int:
        """The row's own."""
        return self.row.event_id


def pack(row: Delivery) -> Parcel:
    """Return the parcel of a row. Raises RowFault for what is no object or has no file."""
    if row.kind != OBJECT:
        raise RowFault("a DICOMweb store takes objects, no records", hint="a defect: report it")
    object_path(row)
    if row.blob is None or row.sop_uid is None:
        raise RowFault("the archive no longer holds this object's bytes")
    blob = row.blob
    return Parcel(row, row.sop_uid, Instance(blob.path, blob.file_size, blob.offset, blob.digest))


def requests(parcels: Sequence[Parcel], count: int, size: int) -> Iterator[list[Parcel]]:
    """Yield groups of at most `count` parcels and `size` bytes, in order; a larger parcel goes alone.

    No group holds two versions of one instance: the answer could not tell them apart.
    """
    group: list[Parcel] = []
    total = 0
    for parcel in parcels:
        known = any(other.sop_uid == parcel.sop_uid for other in group)
        if group and (known or len(group) >= count or total + parcel.instance.size > size):
            yield group
            group, total = [], 0
        group.append(parcel)
        total += parcel.instance.size
    if group:
        yield group


def halves(parcels: Sequence[Parcel]) -> tuple[Sequence[Parcel], Sequence[Parcel]]:
    """Return the two halves of a group, the first one not larger."""
    middle = len(parcels) // 2
    return parcels[:middle], parcels[middle:]
