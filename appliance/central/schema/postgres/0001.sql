-- Names and types are the cloud contract's. A table that another loader of that contract has made is taken over
-- as it stands and gains `revision` and `digest`. Every key begins with tenant_id: Citus can spread the tables by it.
CREATE TABLE IF NOT EXISTS dicom_state_meta (
  tenant_id varchar(64) NOT NULL,
  patient_id varchar(64) NOT NULL,
  study_uid varchar(64) NOT NULL,
  series_uid varchar(64) NOT NULL,
  study_uid_hash varchar(20) NOT NULL,
  series_uid_hash varchar(20) NOT NULL,
  study_date_origin varchar(8) NOT NULL,
  patient_name varchar(64),
  patient_sex varchar(1),
  patient_birth_date date,
  patient_birth_time time,
  patient_age varchar(16),
  patient_size double precision,
  patient_weight double precision,
  study_date date NOT NULL,
  study_time time,
  accession_number varchar(16) NOT NULL,
  study_id varchar(16),
  study_description varchar(64),
  modality varchar(16),
  series_number integer,
  series_date date,
  series_time time,
  series_description varchar(256),
  body_part_examined varchar(64),
  protocol_name varchar(64),
  series_related_instances integer,
  created_time timestamp,
  updated_time timestamp,
  PRIMARY KEY (tenant_id, study_uid, series_uid)
);
ALTER TABLE dicom_state_meta ADD COLUMN IF NOT EXISTS revision bigint NOT NULL DEFAULT 0;

CREATE TABLE IF NOT EXISTS dicom_image_meta (
  tenant_id varchar(64) NOT NULL,
  patient_id varchar(64) NOT NULL,
  study_uid varchar(64) NOT NULL,
  series_uid varchar(64) NOT NULL,
  sop_uid varchar(64) NOT NULL,
  study_uid_hash varchar(20) NOT NULL,
  series_uid_hash varchar(20) NOT NULL,
  study_date_origin date NOT NULL,
  instance_number integer,
  content_date date,
  content_time time,
  image_type varchar(128),
  image_orientation_patient varchar(128),
  image_position_patient varchar(64),
  slice_thickness double precision,
  spacing_between_slices double precision,
  slice_location double precision,
  samples_per_pixel integer,
  photometric_interpretation varchar(32),
  width integer,
  columns integer,
  bits_allocated integer,
  bits_stored integer,
  high_bit integer,
  pixel_representation integer,
  rescale_intercept double precision,
  rescale_slope double precision,
  rescale_type varchar(64),
  window_center varchar(64),
  window_width varchar(64),
  transfer_syntax_uid varchar(64) NOT NULL,
  pixel_data_location varchar(512),
  thumbnail_location varchar(512),
  sop_class_uid varchar(64) NOT NULL,
  image_status varchar(32),
  space_size bigint,
  created_time timestamp,
  updated_time timestamp,
  PRIMARY KEY (tenant_id, study_uid, series_uid, sop_uid)
);
ALTER TABLE dicom_image_meta ADD COLUMN IF NOT EXISTS revision bigint NOT NULL DEFAULT 0;
ALTER TABLE dicom_image_meta ADD COLUMN IF NOT EXISTS digest varchar(64);

-- The contract's key is trace_id alone; a trace id is derived from its tenant, so both name the same rows.
CREATE TABLE dicom_object_meta (
  trace_id varchar(36) NOT NULL,
  worker_node_id varchar(64) NOT NULL,
  tenant_id varchar(64) NOT NULL,
  patient_id varchar(64) NOT NULL,
  study_uid varchar(64) NOT NULL,
  series_uid varchar(64) NOT NULL,
  sop_uid varchar(64) NOT NULL,
  file_size bigint NOT NULL,
  file_path varchar(512) NOT NULL,
  transfer_syntax_uid varchar(64) NOT NULL,
  number_of_frames integer NOT NULL,
  created_time timestamp NOT NULL,
  series_uid_hash varchar(20) NOT NULL,
  study_uid_hash varchar(20) NOT NULL,
  accession_number varchar(16) NOT NULL,
  target_ts varchar(64) NOT NULL,
  study_date date NOT NULL,
  transfer_status varchar(16) NOT NULL,
  source_ip varchar(24) NOT NULL,
  source_ae varchar(64) NOT NULL,
  PRIMARY KEY (tenant_id, trace_id)
);
CREATE INDEX dicom_object_by_uid ON dicom_object_meta (tenant_id, patient_id, study_uid, series_uid, sop_uid);
CREATE INDEX dicom_object_by_study_date ON dicom_object_meta (tenant_id, study_date);
CREATE INDEX dicom_object_by_time ON dicom_object_meta (tenant_id, created_time);

-- A series is here because its JSON metadata is to be written anew; json_status 0 says that this is still to do.
CREATE TABLE IF NOT EXISTS dicom_json_meta (
  tenant_id varchar(64) NOT NULL,
  study_uid varchar(64) NOT NULL,
  series_uid varchar(64) NOT NULL,
  study_uid_hash varchar(20) NOT NULL,
  series_uid_hash varchar(20) NOT NULL,
  study_date_origin varchar(8) NOT NULL,
  flag_time timestamp NOT NULL,
  created_time timestamp NOT NULL DEFAULT current_timestamp(6),
  json_status integer NOT NULL DEFAULT 0,
  retry_times integer NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, study_uid, series_uid)
);

CREATE TABLE dicom_access_log (
  log_id varchar(64) NOT NULL,
  "timestamp" timestamp NOT NULL,
  tenant_id varchar(64) NOT NULL,
  method varchar(16) NOT NULL,
  path varchar(512) NOT NULL,
  query_params varchar(512) NOT NULL,
  peer_addr varchar(64) NOT NULL,
  headers varchar(4096) NOT NULL,
  "user" varchar(64) NOT NULL,
  user_id varchar(64) NOT NULL,
  status integer NOT NULL,
  content_length varchar(20) NOT NULL,
  duration_ms numeric(20) NOT NULL,
  PRIMARY KEY (tenant_id, log_id)
);
CREATE INDEX dicom_access_by_time ON dicom_access_log (tenant_id, "timestamp");

-- Ours: a conversion that failed, one row per object, frame and kind of fault.
CREATE TABLE dicom_transcode_log (
  trace_id varchar(36) NOT NULL,
  tenant_id varchar(64) NOT NULL,
  study_uid varchar(64) NOT NULL,
  series_uid varchar(64) NOT NULL,
  sop_uid varchar(64) NOT NULL,
  transfer_syntax_uid varchar(64) NOT NULL,
  frame integer NOT NULL,
  fault varchar(16) NOT NULL,
  reason varchar(256) NOT NULL,
  program varchar(64) NOT NULL,
  created_time timestamp NOT NULL,
  PRIMARY KEY (tenant_id, trace_id, frame, fault)
);

-- What the receiver hands on to the sites. `seq` is given out under an advisory lock that is held until the commit:
-- whoever has read up to a seq has missed nothing below it. Under Citus it stays a local table.
CREATE SEQUENCE edge_receipt_seq;
CREATE TABLE edge_receipt (
  seq bigint PRIMARY KEY,
  site varchar(64) NOT NULL,
  tenant_id varchar(64) NOT NULL,
  level varchar(24) NOT NULL,
  study_uid varchar(64) NOT NULL,
  series_uid varchar(64) NOT NULL,
  sop_uid varchar(64) NOT NULL,
  digest varchar(64) NOT NULL,
  transfer_syntax_uid varchar(64) NOT NULL,
  revision bigint NOT NULL,
  at bigint NOT NULL,
  UNIQUE (site, tenant_id, level, series_uid, sop_uid, digest, transfer_syntax_uid)
);
