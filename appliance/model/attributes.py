"""The attribute table: every DICOM attribute the index, the searches and the cloud records know.

One row per attribute. Patient attributes stand at study level, because the index has no patient
table. The header columns of a level are exactly those of archive/schema/schema.sql.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Final


class Level(StrEnum):
    """A level of the study root information model; each one is a table of the index."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


class Source(StrEnum):
    """Where the value of an attribute comes from.

    HEADER: read from the data set, stored in `column`. NESTED: the same, from the items of the sequence
    `parent`; the values of all items are joined by a backslash. IDENTITY: read from the data set (or group
    2), a key of the row. COMPUTED: kept by the archive (counts, modalities). ANSWER: made while
    answering, stored nowhere (`column` is empty), at every level whatever `level` says.
    """

    HEADER = "header"
    NESTED = "nested"
    IDENTITY = "identity"
    COMPUTED = "computed"
    ANSWER = "answer"


class Affinity(StrEnum):
    """The type of an index column, in SQLite's words."""

    TEXT = "TEXT"
    INTEGER = "INTEGER"
    REAL = "REAL"


# Text that people type into a worklist: kept in a folded form as well.
_FOLDED: Final = frozenset({"PatientID", "AccessionNumber", "StudyID", "StudyDescription", "SeriesDescription"})


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the table.

    `tag` is group << 16 | element. `returned`: QIDO-RS returns it unasked (PS3.18 tables
    10.6.3-3 to 10.6.3-5, plus what viewers cannot do without). `matchable`: it may be a key of
    a search. `parent` is the tag of the sequence it stands in, 0 for an attribute of the data set itself;
    the keyword of a nested one is a path ("RequestAttributesSequence.RequestedProcedureID").
    """

    tag: int
    keyword: str
    vr: str
    level: Level
    column: str
    affinity: Affinity
    source: Source
    returned: bool
    matchable: bool
    parent: int = 0

    @property
    def tag_text(self) -> str:
        """The tag as DICOM JSON writes it: eight upper-case hexadecimal digits."""
        return f"{self.tag:08X}"

    @property
    def search_column(self) -> str:
        """The column with the folded form (model.names: name_search of a person name, else fold), or ""."""
        return f"{self.column}_search" if self.vr == "PN" or self.keyword in _FOLDED else ""


_STUDY: Final = """
00080020 StudyDate                          DA study_date                            TEXT    header   RM
00080030 StudyTime                          TM study_time                            TEXT    header   RM
00080050 AccessionNumber                    SH accession_number                      TEXT    header   RM
00200010 StudyID                            SH study_id                              TEXT    header   RM
00081030 StudyDescription                   LO study_description                     TEXT    header   RM
00080090 ReferringPhysicianName             PN referring_physician_name              TEXT    header   RM
00080201 TimezoneOffsetFromUTC              SH timezone_offset                       TEXT    header   R-
00100020 PatientID                          LO patient_id                            TEXT    header   RM
00100021 IssuerOfPatientID                  LO issuer_of_patient_id                  TEXT    header   -M
00100010 PatientName                        PN patient_name                          TEXT    header   RM
00100030 PatientBirthDate                   DA patient_birth_date                    TEXT    header   RM
00100032 PatientBirthTime                   TM patient_birth_time                    TEXT    header   -M
00100040 PatientSex                         CS patient_sex                           TEXT    header   RM
00101010 PatientAge                         AS patient_age                           TEXT    header   -M
00101020 PatientSize                        DS patient_size                          REAL    header   -M
00101030 PatientWeight                      DS patient_weight                        REAL    header   -M
0020000D StudyInstanceUID                   UI study_uid                             TEXT    identity RM
00080061 ModalitiesInStudy                  CS modalities                            TEXT    computed RM
00201206 NumberOfStudyRelatedSeries         IS series_count                          INTEGER computed R-
00201208 NumberOfStudyRelatedInstances      IS instance_count                        INTEGER computed R-
00081190 RetrieveURL                        UR -                                     TEXT    answer   R-
00080056 InstanceAvailability               CS -                                     TEXT    answer   R-
"""

_SERIES: Final = """
00080060 Modality                           CS modality                              TEXT    header   RM
00200011 SeriesNumber                       IS series_number                         INTEGER header   RM
00080021 SeriesDate                         DA series_date                           TEXT    header   -M
00080031 SeriesTime                         TM series_time                           TEXT    header   -M
0008103E SeriesDescription                  LO series_description                    TEXT    header   RM
00180015 BodyPartExamined                   CS body_part_examined                    TEXT    header   -M
00181030 ProtocolName                       LO protocol_name                         TEXT    header   -M
00400244 PerformedProcedureStepStartDate    DA performed_procedure_step_start_date   TEXT    header   RM
00400245 PerformedProcedureStepStartTime    TM performed_procedure_step_start_time   TEXT    header   RM
00080070 Manufacturer                       LO manufacturer                          TEXT    header   -M
00081010 StationName                        SH station_name                          TEXT    header   -M
00080080 InstitutionName                    LO institution_name                      TEXT    header   -M
00200060 Laterality                         CS laterality                            TEXT    header   -M
0020000E SeriesInstanceUID                  UI series_uid                            TEXT    identity RM
00201209 NumberOfSeriesRelatedInstances     IS instance_count                        INTEGER computed R-
"""

_INSTANCE: Final = """
00200013 InstanceNumber                     IS instance_number                       INTEGER header   RM
00080023 ContentDate                        DA content_date                          TEXT    header   -M
00080033 ContentTime                        TM content_time                          TEXT    header   -M
00080022 AcquisitionDate                    DA acquisition_date                      TEXT    header   -M
00080008 ImageType                          CS image_type                            TEXT    header   -M
00200037 ImageOrientationPatient            DS image_orientation_patient             TEXT    header   --
00200032 ImagePositionPatient               DS image_position_patient                TEXT    header   --
00180050 SliceThickness                     DS slice_thickness                       REAL    header   -M
00180088 SpacingBetweenSlices               DS spacing_between_slices                REAL    header   -M
00201041 SliceLocation                      DS slice_location                        REAL    header   -M
00280002 SamplesPerPixel                    US samples_per_pixel                     INTEGER header   -M
00280004 PhotometricInterpretation          CS photometric_interpretation            TEXT    header   -M
00280008 NumberOfFrames                     IS number_of_frames                      INTEGER header   RM
00280010 Rows                               US rows                                  INTEGER header   RM
00280011 Columns                            US columns                               INTEGER header   RM
00280100 BitsAllocated                      US bits_allocated                        INTEGER header   RM
00280101 BitsStored                         US bits_stored                           INTEGER header   -M
00280102 HighBit                            US high_bit                              INTEGER header   -M
00280103 PixelRepresentation                US pixel_representation                  INTEGER header   -M
00281052 RescaleIntercept                   DS rescale_intercept                     REAL    header   -M
00281053 RescaleSlope                       DS rescale_slope                         REAL    header   -M
00281054 RescaleType                        LO rescale_type                          TEXT    header   -M
00281050 WindowCenter                       DS window_center                         TEXT    header   --
00281051 WindowWidth                        DS window_width                          TEXT    header   --
00080018 SOPInstanceUID                     UI sop_uid                               TEXT    identity RM
00080016 SOPClassUID                        UI sop_class_uid                         TEXT    identity RM
00083002 AvailableTransferSyntaxUID         UI transfer_syntax_uid                   TEXT    identity R-
"""


REQUEST_ATTRIBUTES: Final = 0x00400275

# Of sequences the index holds these: series level, in the order of the schema.
_NESTED: Final = """
00400009 RequestAttributesSequence.ScheduledProcedureStepID SH scheduled_procedure_step_id TEXT nested RM
00401001 RequestAttributesSequence.RequestedProcedureID     SH requested_procedure_id      TEXT nested RM
"""


def _row(level: Level, line: str) -> Attribute:
    tag, keyword, vr, column, affinity, source, flags = line.split()
    return Attribute(
        tag=int(tag, 16), keyword=keyword, vr=vr, level=level, column="" if column == "-" else column,
        affinity=Affinity(affinity), source=Source(source), returned="R" in flags, matchable="M" in flags,
        parent=REQUEST_ATTRIBUTES if source == Source.NESTED else 0,
    )  # fmt: skip


_TABLES: Final = ((Level.STUDY, _STUDY), (Level.SERIES, _SERIES), (Level.INSTANCE, _INSTANCE))

ATTRIBUTES: Final = tuple(_row(level, line) for level, text in _TABLES for line in text.split("\n") if line)

NESTED: Final = tuple(_row(Level.SERIES, line) for line in _NESTED.split("\n") if line)

_BY_KEYWORD: Final = MappingProxyType({attribute.keyword: attribute for attribute in ATTRIBUTES})
_BY_TAG: Final = MappingProxyType({attribute.tag: attribute for attribute in ATTRIBUTES})


def by_keyword(keyword: str) -> Attribute | None:
    """Return the attribute with this DICOM keyword, or None when the table has none."""
    return _BY_KEYWORD.get(keyword)


def by_tag(tag: int) -> Attribute | None:
    """Return the attribute with this tag (group << 16 | element), or None when the table has none."""
    return _BY_TAG.get(tag)


def find_attribute(name: str) -> Attribute | None:
    """Return the attribute a query names by keyword ("PatientID") or by tag ("00100020", any case).

    One within a sequence is named by a path of either ("00400275.00400009").
    """
    if "." in name:
        return _nested_names().get(name.upper())
    if len(name) == 8 and all(c in "0123456789abcdefABCDEF" for c in name):
        return by_tag(int(name, 16))
    return by_keyword(name)


@cache
def _nested_names() -> MappingProxyType[str, Attribute]:
    """Return the nested attributes by every path of keywords and tags that names them, in upper case."""
    named: dict[str, Attribute] = {}
    for attribute in NESTED:
        outer, _, inner = attribute.keyword.upper().partition(".")
        for sequence in (outer, f"{attribute.parent:08X}"):
            named |= {f"{sequence}.{name}": attribute for name in (inner, attribute.tag_text)}
    return MappingProxyType(named)


@cache
def attributes(level: Level) -> tuple[Attribute, ...]:
    """Return every attribute of one level, in table order."""
    return tuple(attribute for attribute in ATTRIBUTES if attribute.level is level)


@cache
def header_attributes(level: Level) -> tuple[Attribute, ...]:
    """Return the attributes of one level that the data set itself fills, in table order."""
    return tuple(attribute for attribute in attributes(level) if attribute.source is Source.HEADER)


@cache
def columns(level: Level) -> tuple[str, ...]:
    """Return the header columns of one level's index table, in table order."""
    nested = (attribute for attribute in NESTED if attribute.level is level)
    return tuple(attribute.column for attribute in (*header_attributes(level), *nested))


@cache
def folded_attributes(level: Level) -> tuple[Attribute, ...]:
    """Return the attributes of one level whose folded form is kept too, in table order."""
    return tuple(attribute for attribute in header_attributes(level) if attribute.search_column)
