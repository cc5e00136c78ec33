-- Routine Load: Doris reads the topics by itself, without our loader. One way or the other, not both.
--
-- What is lost that way: nobody checks signatures, so whoever may write to a topic writes to every tenant; a record
-- that does not fit is dropped and counted, nothing more, and 1,000 bad ones in a window pause the job; no receipts are
-- written, so boxes may not evict by metadata. Watch `SHOW ROUTINE LOAD`, start again with `RESUME ROUTINE LOAD FOR ...`.
-- Fields of a record find their columns by name; those without a column are skipped. Leaving out kafka_partitions
-- means all of a topic. Brokers that ask for a login: add "property.security.protocol" = "SASL_SSL" and so on.
-- Each job begins at the oldest record; what is read again changes nothing, thanks to keys and revisions.

USE `${database}`;

-- Series and studies, by revision.
CREATE ROUTINE LOAD `${database}`.`dicom_state_meta_load` ON `dicom_state_meta`
PROPERTIES (
    "format" = "json",
    "strict_mode" = "true",
    "max_batch_interval" = "10",
    "max_batch_rows" = "300000",
    "max_batch_size" = "209715200",
    "max_error_number" = "1000"
)
FROM KAFKA (
    "kafka_broker_list" = "${brokers}",
    "kafka_topic" = "${topic_state}",
    "property.group.id" = "${database}_dicom_state_meta",
    "property.kafka_default_offsets" = "OFFSET_BEGINNING"
);

-- Images, by revision.
CREATE ROUTINE LOAD `${database}`.`dicom_image_meta_load` ON `dicom_image_meta`
PROPERTIES (
    "format" = "json",
    "strict_mode" = "true",
    "max_batch_interval" = "10",
    "max_batch_rows" = "300000",
    "max_batch_size" = "209715200",
    "max_error_number" = "1000"
)
FROM KAFKA (
    "kafka_broker_list" = "${brokers}",
    "kafka_topic" = "${topic_image}",
    "property.group.id" = "${database}_dicom_image_meta",
    "property.kafka_default_offsets" = "OFFSET_BEGINNING"
);

-- Objects, as the receiver tells of them. storage_queue tells the same again, for PostgreSQL.
CREATE ROUTINE LOAD `${database}`.`dicom_object_meta_load` ON `dicom_object_meta`
PROPERTIES (
    "format" = "json",
    "strict_mode" = "true",
    "max_batch_interval" = "10",
    "max_batch_rows" = "300000",
    "max_batch_size" = "209715200",
    "max_error_number" = "1000"
)
FROM KAFKA (
    "kafka_broker_list" = "${brokers}",
    "kafka_topic" = "${topic_log}",
    "property.group.id" = "${database}_dicom_object_meta",
    "property.kafka_default_offsets" = "OFFSET_BEGINNING"
);

-- Accesses to patient data.
CREATE ROUTINE LOAD `${database}`.`dicom_access_log_load` ON `dicom_access_log`
PROPERTIES (
    "format" = "json",
    "strict_mode" = "true",
    "max_batch_interval" = "10",
    "max_batch_rows" = "300000",
    "max_batch_size" = "209715200",
    "max_error_number" = "1000"
)
FROM KAFKA (
    "kafka_broker_list" = "${brokers}",
    "kafka_topic" = "${topic_access}",
    "property.group.id" = "${database}_dicom_access_log",
    "property.kafka_default_offsets" = "OFFSET_BEGINNING"
);

-- Objects that could not be decoded.
CREATE ROUTINE LOAD `${database}`.`dicom_transcode_log_load` ON `dicom_transcode_log`
PROPERTIES (
    "format" = "json",
    "strict_mode" = "true",
    "max_batch_interval" = "10",
    "max_batch_rows" = "300000",
    "max_batch_size" = "209715200",
    "max_error_number" = "1000"
)
FROM KAFKA (
    "kafka_broker_list" = "${brokers}",
    "kafka_topic" = "${topic_transcode}",
    "property.group.id" = "${database}_dicom_transcode_log",
    "property.kafka_default_offsets" = "OFFSET_BEGINNING"
);
