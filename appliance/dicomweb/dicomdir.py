"""The DICOMDIR of an exported study: one patient, one study, its series and their objects (PS3.3 annex F, PS3.10)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
IMPLEMENTATION: Final = UID("1.2.826.0.1.3680043.8.498.1")
CHARSET: Final = "ISO_IR 192"
_ITEM: Final = struct.Struct("<HHL")
_NEVER_USED: Final = 0
_IN_USE: Final = 0xFFFF
# Places within a record's bytes: Offset of the Next (0004,1400) stands first, Record In-use Flag is 10 bytes long.
_NEXT_AT, _LOWER_AT = 8, 30

_NUMBERED: Final = ("InstanceNumber",)
_CONTENT: Final = ("ContentDate", "ContentTime", "InstanceNumber")
# PS3.3 F.5: the keys of each type of record at the instance level.
KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "IMAGE": _NUMBERED,
    "RT DOSE": ("InstanceNumber", "DoseSummationType"),
    "RT STRUCTURE SET": ("InstanceNumber", "StructureSetLabel", "StructureSetDate", "StructureSetTime"),
    "RT PLAN": ("InstanceNumber", "RTPlanLabel", "RTPlanDate", "RTPlanTime"),
    "RT TREAT RECORD": ("InstanceNumber", "TreatmentDate", "TreatmentTime"),
    "PRESENTATION": (
        "PresentationCreationDate", "PresentationCreationTime", "InstanceNumber", "ContentLabel",
        "ContentDescription", "ContentCreatorName", "ReferencedSeriesSequence", "BlendingSequence",
    ),
    "WAVEFORM": _CONTENT,
    "SR DOCUMENT": (
        "InstanceNumber", "CompletionFlag", "VerificationFlag", "ContentDate", "ContentTime",
        "VerificationDateTime", "ConceptNameCodeSequence",
    ),
    "KEY OBJECT DOC": (*_CONTENT, "ConceptNameCodeSequence"),
    "SPECTROSCOPY": ("ImageType", *_CONTENT, "NumberOfFrames", "Rows", "Columns", "DataPointRows", "DataPointColumns"),
    "RAW DATA": _CONTENT,
    "REGISTRATION": (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName"),
    "FIDUCIAL": (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName"),
    "VALUE MAP": (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName"),
    "ENCAP DOC": (*_CONTENT, "DocumentTitle", "ConceptNameCodeSequence", "MIMETypeOfEncapsulatedDocument"),
})  # fmt: skip
# The longest beginning of the SOP class that is listed here decides; anything else is an IMAGE.
_TYPES: Final[Mapping[str, str]] = MappingProxyType({
    "481.2": "RT DOSE", "481.3": "RT STRUCTURE SET", "481.5": "RT PLAN", "481.8": "RT PLAN",
    "481.4": "RT TREAT RECORD", "481.6": "RT TREAT RECORD", "481.7": "RT TREAT RECORD", "481.9": "RT TREAT RECORD",
    "11.": "PRESENTATION", "9.": "WAVEFORM", "88.": "SR DOCUMENT", "88.59": "KEY OBJECT DOC", "4.2": "SPECTROSCOPY",
    "66": "RAW DATA", "66.1": "REGISTRATION", "66.2": "FIDUCIAL", "66.3": "REGISTRATION", "66.4": "IMAGE",
    "67": "VALUE MAP", "104.": "ENCAP DOC",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filed:
    """An object on the medium: its file ID (components of 8 characters at most), what it is, its record's keys."""

    file_id: tuple[str, ...]
    sop_class_uid: str
    sop_uid: str
    transfer_syntax_uid: str
    keys: Dataset


@dataclass(slots=True)
class _Record:
    type: str
    keys: Dataset
    filed: Filed | None = None
    children: list[_Record] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
    offset: int = 0


def record_type(sop_class_uid: str) -> str:
    """Return the type of directory record (PS3.3 F.4) of a SOP class."""
    tail = sop_class_uid.removeprefix(STORAGE)
    begins = [begin for begin in _TYPES if _begins(tail, begin)]
    return _TYPES[max(begins, key=len)] if begins and tail != sop_class_uid else "IMAGE"


def _begins(tail: str, begin: str) -> bool:
    return tail.startswith(begin) if begin.endswith(".") else tail == begin or tail.startswith(f"{begin}.")


def wants_header(sop_class_uid: str) -> bool:
    """Say whether the keys of such an object's record stand in its own header alone."""
    return record_type(sop_class_uid) != "IMAGE"


def dicomdir(patient: Dataset, study: Dataset, series: Sequence[tuple[Dataset, Sequence[Filed]]]) -> bytes:
    """Return the DICOMDIR file of one study. The data sets hold the keys of their records, in UTF-8."""
    leaves = [
        (keys, [_Record(record_type(one.sop_class_uid), one.keys, one) for one in filed]) for keys, filed in series
    ]
    branches = [_Record("SERIES", keys, None, children) for keys, children in leaves]
    root = _Record("PATIENT", patient, None, [_Record("STUDY", study, None, branches)])
    records = list(_walk(root))
    head = _head()
    position = len(head.getvalue())
    for record in records:
        record.data = bytearray(_encoded(_elements(record)))
        record.offset = position
        position += _ITEM.size + len(record.data)
    _link(records)
    items = b"".join(_ITEM.pack(0xFFFE, 0xE000, len(record.data)) + record.data for record in records)
    return _completed(head, root.offset, items)


def _walk(record: _Record) -> Iterator[_Record]:
    yield record
    for child in record.children:
        yield from _walk(child)


def _link(records: Sequence[_Record]) -> None:
    """Write into each record where the next of its level is, and the first below it."""
    for record in records:
        for one, following in zip(record.children, record.children[1:], strict=False):
            struct.pack_into("<L", one.data, _NEXT_AT, following.offset)
        if record.children:
            struct.pack_into("<L", record.data, _LOWER_AT, record.children[0].offset)


def _elements(record: _Record) -> Dataset:
    dataset = Dataset()
    dataset.OffsetOfTheNextDirectoryRecord = _NEVER_USED
    dataset.RecordInUseFlag = _IN_USE
    dataset.OffsetOfReferencedLowerLevelDirectoryEntity = _NEVER_USED
    dataset.DirectoryRecordType = record.type
    if record.filed is not None:
        dataset.ReferencedFileID = list(record.filed.file_id)
        dataset.ReferencedSOPClassUIDInFile = record.filed.sop_class_uid
        dataset.ReferencedSOPInstanceUIDInFile = record.filed.sop_uid
        dataset.ReferencedTransferSyntaxUIDInFile = record.filed.transfer_syntax_uid
    dataset.SpecificCharacterSet = CHARSET
    dataset.update(record.keys)
    return dataset


def _encoded(dataset: Dataset) -> bytes:
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, False
    write_dataset(file, dataset, parent_encoding="utf-8")
    return file.getvalue()


def _head() -> BytesIO:
    """Return the file up to the first record: the two offsets and the sequence's length are still 0."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID = UID(_fresh_uid())
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, False
    file.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(file, meta)
    file.write(_encoded(_directory()))
    file.write(struct.pack("<HH2sHL", 0x0004, 0x1220, b"SQ", 0, 0))
    return BytesIO(file.getvalue())


def _directory() -> Dataset:
    dataset: Any = Dataset()
    dataset.FileSetID = "STUDY"
    dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = _NEVER_USED
    dataset.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = _NEVER_USED
    dataset.FileSetConsistencyFlag = 0
    found: Dataset = dataset
    return found


def _completed(head: BytesIO, root: int, items: bytes) -> bytes:
    data = bytearray(head.getvalue())
    flag, sequence = 10, 12
    last = len(data) - sequence - flag - 4
    struct.pack_into("<L", data, last, root)
    struct.pack_into("<L", data, last - 12, root)
    struct.pack_into("<L", data, len(data) - 4, len(items))
    return bytes(data) + items


def _fresh_uid() -> str:
    return f"2.25.{uuid4().int}"
