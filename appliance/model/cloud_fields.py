"""The fields of the cloud's records: one row per field, in the order they are written.

docs/cloud-records.md says in words what these tables say; a test holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """How a field is written, and what becomes of a value that does not fit.

    IDENTIFIER: text; over the limit it is shortened and keeps a hash, for a plain cut would merge
    patients. TEXT: cut at a character. DATE, COMPACT_DATE, TIME, MOMENT: ISO 8601, "YYYYMMDD",
    time of day, naive clock time; an invalid one becomes null. I32, I64, U16, U64, F64: bare numbers; one
    out of range becomes null.
    """

    IDENTIFIER = "identifier"
    TEXT = "text"
    DATE = "date"
    COMPACT_DATE = "compact date"
    TIME = "time"
    MOMENT = "moment"
    I32 = "i32"
    I64 = "i64"
    F64 = "f64"
    U16 = "u16"
    U64 = "u64"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record.

    `limit` is in UTF-8 bytes, 0 where the kind has none. `source` names a value of the facts a
    record is made from ("study.patient_name", ...). `default` stands in for an absent or invalid
    value; it is None exactly where null is allowed.
    """

    name: str
    kind: Kind
    required: bool
    limit: int
    source: str
    default: str | int | None


def _fields(text: str) -> tuple[Field, ...]:
    return tuple(_field(line) for line in text.strip().split("\n"))


def _field(line: str) -> Field:
    name, kind, limit, source, *default = line.split()
    required = name.endswith("*")
    stand_in: str | int | None = None
    if default:
        stand_in = int(default[0]) if kind in ("i32", "i64", "u16", "u64") else default[0].strip('"')
    compact = "compact date" if kind == "compact" else kind
    return Field(name.rstrip("*"), Kind(compact), required, int(limit), source, stand_in)


STATE_FIELDS: Final = _fields("""
tenant_id*                identifier 64  context.tenant            ""
patient_id*               identifier 64  study.cloud_patient_id    ""
study_uid*                identifier 64  study.study_uid           ""
series_uid*               identifier 64  series.series_uid         ""
study_uid_hash*           identifier 20  context.study_uid_hash    ""
series_uid_hash*          identifier 20  context.series_uid_hash   ""
study_date_origin*        compact    8   study.cloud_study_date    19700101
patient_name              text       64  study.patient_name
patient_sex               text       1   study.patient_sex
patient_birth_date        date       0   study.patient_birth_date
patient_birth_time        time       16  study.patient_birth_time
patient_age               text       16  study.patient_age
patient_size              f64        0   study.patient_size
patient_weight            f64        0   study.patient_weight
study_date*               date       0   study.cloud_study_date    1970-01-01
study_time                time       16  study.study_time
accession_number          identifier 16  study.accession_number    ""
study_id                  identifier 16  study.study_id
study_description         text       64  study.study_description
modality                  text       16  series.modality
series_number             i32        0   series.series_number
series_date               date       0   series.series_date
series_time               time       16  series.series_time
series_description        text       256 series.series_description
body_part_examined        text       64  series.body_part_examined
protocol_name             text       64  series.protocol_name
series_related_instances  i32        0   series.instance_count
created_time*             moment     0   series.received_at        1970-01-01T00:00:00
updated_time*             moment     0   context.updated_at        1970-01-01T00:00:00
revision*                 i64        0   context.revision          0
""")

IMAGE_FIELDS: Final = _fields("""
tenant_id*                 identifier 64  context.tenant                       ""
patient_id*                identifier 64  study.cloud_patient_id               ""
study_uid*                 identifier 64  study.study_uid                      ""
series_uid*                identifier 64  series.series_uid                    ""
sop_uid*                   identifier 64  instance.sop_uid                     ""
study_uid_hash*            identifier 20  context.study_uid_hash               ""
series_uid_hash*           identifier 20  context.series_uid_hash              ""
study_date_origin*         date       0   study.cloud_study_date               1970-01-01
instance_number            i32        0   instance.instance_number
content_date               date       0   instance.content_date
content_time               time       16  instance.content_time
image_type                 text       128 instance.image_type
image_orientation_patient  text       128 instance.image_orientation_patient
image_position_patient     text       64  instance.image_position_patient
slice_thickness            f64        0   instance.slice_thickness
spacing_between_slices     f64        0   instance.spacing_between_slices
slice_location             f64        0   instance.slice_location
samples_per_pixel          i32        0   instance.samples_per_pixel
photometric_interpretation text       32  instance.photometric_interpretation
width                      i32        0   instance.rows
columns                    i32        0   instance.columns
bits_allocated             i32        0   instance.bits_allocated
bits_stored                i32        0   instance.bits_stored
high_bit                   i32        0   instance.high_bit
pixel_representation       i32        0   instance.pixel_representation
rescale_intercept          f64        0   instance.rescale_intercept
rescale_slope              f64        0   instance.rescale_slope
rescale_type               text       64  instance.rescale_type
window_center              text       64  instance.window_center
window_width               text       64  instance.window_width
transfer_syntax_uid*       identifier 64  version.transfer_syntax_uid          ""
pixel_data_location        text       512 context.pixel_data_location
thumbnail_location         text       512 context.thumbnail_location
sop_class_uid*             identifier 64  version.sop_class_uid                ""
image_status               text       32  context.image_status                 ACTIVE
space_size                 i64        0   version.file_size
created_time*              moment     0   instance.received_at                 1970-01-01T00:00:00
updated_time*              moment     0   context.updated_at                   1970-01-01T00:00:00
revision*                  i64        0   context.revision                     0
digest                     identifier 64  version.digest
""")

STORE_FIELDS: Final = _fields("""
trace_id*             identifier 36  version.trace_id             ""
worker_node_id*       identifier 64  context.site                 ""
tenant_id*            identifier 64  context.tenant               ""
patient_id*           identifier 64  study.cloud_patient_id       ""
study_uid*            identifier 64  study.study_uid              ""
series_uid*           identifier 64  version.series_uid           ""
sop_uid*              identifier 64  version.sop_uid              ""
file_size*            i64        0   version.file_size            0
file_path*            text       512 version.blob_path            ""
transfer_syntax_uid*  identifier 64  version.transfer_syntax_uid  ""
number_of_frames*     i32        0   instance.number_of_frames    1
created_time*         moment     0   version.received_at          1970-01-01T00:00:00
series_uid_hash*      identifier 20  context.series_uid_hash      ""
study_uid_hash*       identifier 20  context.study_uid_hash       ""
accession_number      identifier 16  study.accession_number       ""
target_ts*            identifier 64  version.transfer_syntax_uid  ""
study_date*           date       0   study.cloud_study_date       1970-01-01
transfer_status*      text       16  context.transfer_status      NoNeedTransfer
source_ip*            text       24  version.source_address       ""
source_ae*            identifier 64  version.source_ae            ""
""")

TRANSCODE_FIELDS: Final = _fields("""
trace_id*             identifier 36  version.trace_id             ""
tenant_id*            identifier 64  context.tenant               ""
study_uid*            identifier 64  version.study_uid            ""
series_uid*           identifier 64  version.series_uid           ""
sop_uid*              identifier 64  version.sop_uid              ""
transfer_syntax_uid*  identifier 64  version.transfer_syntax_uid  ""
frame*                i32        0   transcode.frame              1
fault*                text       16  transcode.fault              ""
reason*               text       256 transcode.reason             ""
program*              text       64  transcode.program            ""
created_time*         moment     0   transcode.at                 1970-01-01T00:00:00
""")

ACCESS_FIELDS: Final = _fields("""
timestamp*       moment     0     access.timestamp       1970-01-01T00:00:00
tenant_id*       identifier 64    context.tenant         ""
request_id*      identifier 64    access.request_id      ""
method*          text       16    access.method          ""
path*            text       512   access.path            ""
query_params*    text       512   access.query_params    ""
peer_addr*       text       64    access.peer_addr       ""
headers*         text       4096  access.headers         {}
user*            text       64    access.user            ""
user_id*         identifier 64    access.user_id         ""
status*          u16        0     access.status          0
content_length*  text       20    access.content_length  unknown
duration_ms*     u64        0     access.duration_ms     0
""")
