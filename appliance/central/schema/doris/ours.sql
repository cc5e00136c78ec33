-- Tables of the centre in Apache Doris 2.0 or later, as the loader fills them.
--
-- Lengths are in bytes. Every table is UNIQUE KEY: a record that comes twice is one row. Where records carry a
-- revision it is the sequence column: an older record never replaces a newer one, in whatever order they come.
-- Key columns come first and cannot be changed later; neither can the bucket column. Buckets: about one for
-- every 1 to 10 GB, and a multiple of the number of backends. Replication: 3 where there are three backends.

CREATE DATABASE IF NOT EXISTS `${database}`;
USE `${database}`;

-- Series and their studies as they stand. The loader keeps these in PostgreSQL; Routine Load fills this table.
CREATE TABLE IF NOT EXISTS `dicom_state_meta` (
    `tenant_id` VARCHAR(64) NOT NULL,
    `patient_id` VARCHAR(64) NOT NULL,
    `study_uid` VARCHAR(64) NOT NULL,
    `series_uid` VARCHAR(64) NOT NULL,
    `study_uid_hash` VARCHAR(20) NOT NULL,
    `series_uid_hash` VARCHAR(20) NOT NULL,
    `study_date_origin` VARCHAR(8) NOT NULL,
    `patient_name` VARCHAR(64) NULL,
    `patient_sex` VARCHAR(1) NULL,
    `patient_birth_date` DATE NULL,
    `patient_birth_time` VARCHAR(16) NULL,
    `patient_age` VARCHAR(16) NULL,
    `patient_size` DOUBLE NULL,
    `patient_weight` DOUBLE NULL,
    `study_date` DATE NOT NULL,
    `study_time` VARCHAR(16) NULL,
    `accession_number` VARCHAR(16) NOT NULL,
    `study_id` VARCHAR(16) NULL,
    `study_description` VARCHAR(64) NULL,
    `modality` VARCHAR(16) NULL,
    `series_number` INT NULL,
    `series_date` DATE NULL,
    `series_time` VARCHAR(16) NULL,
    `series_description` VARCHAR(256) NULL,
    `body_part_examined` VARCHAR(64) NULL,
    `protocol_name` VARCHAR(64) NULL,
    `series_related_instances` INT NULL,
    `created_time` DATETIME(6) NOT NULL,
    `updated_time` DATETIME(6) NOT NULL,
    `revision` BIGINT NOT NULL DEFAULT "0"
)
ENGINE = OLAP
UNIQUE KEY(`tenant_id`, `patient_id`, `study_uid`, `series_uid`)
DISTRIBUTED BY HASH(`study_uid`) BUCKETS ${buckets}
PROPERTIES (
    "replication_num" = "${replication}",
    "enable_unique_key_merge_on_write" = "true",
    "function_column.sequence_col" = "revision"
);

-- Attributes of every image. `width` is Rows.
CREATE TABLE IF NOT EXISTS `dicom_image_meta` (
    `tenant_id` VARCHAR(64) NOT NULL,
    `patient_id` VARCHAR(64) NOT NULL,
    `study_uid` VARCHAR(64) NOT NULL,
    `series_uid` VARCHAR(64) NOT NULL,
    `sop_uid` VARCHAR(64) NOT NULL,
    `study_uid_hash` VARCHAR(20) NOT NULL,
    `series_uid_hash` VARCHAR(20) NOT NULL,
    `study_date_origin` DATE NOT NULL,
    `instance_number` INT NULL,
    `content_date` DATE NULL,
    `content_time` VARCHAR(16) NULL,
    `image_type` VARCHAR(128) NULL,
    `image_orientation_patient` VARCHAR(128) NULL,
    `image_position_patient` VARCHAR(64) NULL,
    `slice_thickness` DOUBLE NULL,
    `spacing_between_slices` DOUBLE NULL,
    `slice_location` DOUBLE NULL,
    `samples_per_pixel` INT NULL,
    `photometric_interpretation` VARCHAR(32) NULL,
    `width` INT NULL,
    `columns` INT NULL,
    `bits_allocated` INT NULL,
    `bits_stored` INT NULL,
    `high_bit` INT NULL,
    `pixel_representation` INT NULL,
    `rescale_intercept` DOUBLE NULL,
    `rescale_slope` DOUBLE NULL,
    `rescale_type` VARCHAR(64) NULL,
    `window_center` VARCHAR(64) NULL,
    `window_width` VARCHAR(64) NULL,
    `transfer_syntax_uid` VARCHAR(64) NOT NULL,
    `pixel_data_location` VARCHAR(512) NULL,
    `thumbnail_location` VARCHAR(512) NULL,
    `sop_class_uid` VARCHAR(64) NOT NULL,
    `image_status` VARCHAR(32) NOT NULL,
    `space_size` BIGINT NULL,
    `created_time` DATETIME(6) NOT NULL,
    `updated_time` DATETIME(6) NOT NULL,
    `revision` BIGINT NOT NULL DEFAULT "0",
    `digest` VARCHAR(64) NULL
)
ENGINE = OLAP
UNIQUE KEY(`tenant_id`, `patient_id`, `study_uid`, `series_uid`, `sop_uid`)
DISTRIBUTED BY HASH(`study_uid`) BUCKETS ${buckets}
PROPERTIES (
    "replication_num" = "${replication}",
    "enable_unique_key_merge_on_write" = "true",
    "function_column.sequence_col" = "revision"
);

-- Objects whose bytes are durable at the receiver. One row an object however often it is told. The tenant belongs to
-- the key: whoever signs for one tenant must not be able to replace a row of another.
CREATE TABLE IF NOT EXISTS `dicom_object_meta` (
    `tenant_id` VARCHAR(64) NOT NULL,
    `trace_id` VARCHAR(36) NOT NULL,
    `worker_node_id` VARCHAR(64) NOT NULL,
    `patient_id` VARCHAR(64) NOT NULL,
    `study_uid` VARCHAR(64) NOT NULL,
    `series_uid` VARCHAR(64) NOT NULL,
    `sop_uid` VARCHAR(64) NOT NULL,
    `file_size` BIGINT NOT NULL,
    `file_path` VARCHAR(512) NOT NULL,
    `transfer_syntax_uid` VARCHAR(64) NOT NULL,
    `number_of_frames` INT NOT NULL,
    `created_time` DATETIME(6) NOT NULL,
    `series_uid_hash` VARCHAR(20) NOT NULL,
    `study_uid_hash` VARCHAR(20) NOT NULL,
    `accession_number` VARCHAR(16) NOT NULL,
    `target_ts` VARCHAR(64) NOT NULL,
    `study_date` DATE NOT NULL,
    `transfer_status` VARCHAR(16) NOT NULL,
    `source_ip` VARCHAR(24) NOT NULL,
    `source_ae` VARCHAR(64) NOT NULL
)
ENGINE = OLAP
UNIQUE KEY(`tenant_id`, `trace_id`)
DISTRIBUTED BY HASH(`trace_id`) BUCKETS ${buckets}
PROPERTIES (
    "replication_num" = "${replication}",
    "enable_unique_key_merge_on_write" = "true"
);

-- HTTP requests that showed patient data. The key comes first, as Doris wants it.
CREATE TABLE IF NOT EXISTS `dicom_access_log` (
    `tenant_id` VARCHAR(64) NOT NULL,
    `request_id` VARCHAR(64) NOT NULL,
    `timestamp` DATETIME(6) NOT NULL,
    `method` VARCHAR(16) NOT NULL,
    `path` VARCHAR(512) NOT NULL,
    `query_params` VARCHAR(512) NOT NULL,
    `peer_addr` VARCHAR(64) NOT NULL,
    `headers` VARCHAR(4096) NOT NULL,
    `user` VARCHAR(64) NOT NULL,
    `user_id` VARCHAR(64) NOT NULL,
    `status` INT NOT NULL,
    `content_length` VARCHAR(20) NOT NULL,
    `duration_ms` LARGEINT NOT NULL
)
ENGINE = OLAP
UNIQUE KEY(`tenant_id`, `request_id`)
DISTRIBUTED BY HASH(`request_id`) BUCKETS ${buckets}
PROPERTIES (
    "replication_num" = "${replication}",
    "enable_unique_key_merge_on_write" = "true"
);

-- Objects whose pixels no decoder could read, by frame and kind of fault.
CREATE TABLE IF NOT EXISTS `dicom_transcode_log` (
    `tenant_id` VARCHAR(64) NOT NULL,
    `trace_id` VARCHAR(36) NOT NULL,
    `frame` INT NOT NULL,
    `fault` VARCHAR(16) NOT NULL,
    `study_uid` VARCHAR(64) NOT NULL,
    `series_uid` VARCHAR(64) NOT NULL,
    `sop_uid` VARCHAR(64) NOT NULL,
    `transfer_syntax_uid` VARCHAR(64) NOT NULL,
    `reason` VARCHAR(256) NOT NULL,
    `program` VARCHAR(64) NOT NULL,
    `created_time` DATETIME(6) NOT NULL
)
ENGINE = OLAP
UNIQUE KEY(`tenant_id`, `trace_id`, `frame`, `fault`)
DISTRIBUTED BY HASH(`trace_id`) BUCKETS ${buckets}
PROPERTIES (
    "replication_num" = "${replication}",
    "enable_unique_key_merge_on_write" = "true"
);
