-- The appliance's one database: index, outbox and custody ledger.
-- This file equals the sum of the migrations (tests/migration proves it).
-- Times are microseconds since 1970-01-01 UTC. Every key starts with the tenant.
-- A test holds the attribute columns of study, series and instance against model/attributes.py.

CREATE TABLE box (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  tenant TEXT NOT NULL,
  revision INTEGER NOT NULL,
  schema_version INTEGER NOT NULL,
  compatible_from INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE study (
  tenant TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  study_date TEXT, study_time TEXT, accession_number TEXT, study_id TEXT, study_description TEXT,
  referring_physician_name TEXT, timezone_offset TEXT,
  patient_id TEXT, issuer_of_patient_id TEXT, patient_name TEXT,
  patient_birth_date TEXT, patient_birth_time TEXT, patient_sex TEXT,
  patient_age TEXT, patient_size REAL, patient_weight REAL,
  patient_name_search TEXT, referring_physician_name_search TEXT,
  cloud_patient_id TEXT NOT NULL,
  cloud_study_date TEXT NOT NULL,
  modalities TEXT NOT NULL,
  series_count INTEGER NOT NULL,
  instance_count INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  patient_id_search TEXT, accession_number_search TEXT, study_id_search TEXT, study_description_search TEXT,
  PRIMARY KEY (tenant, study_uid)
) STRICT;
CREATE INDEX study_by_date ON study (tenant, study_date, study_time);
CREATE INDEX study_by_patient ON study (tenant, patient_id);
CREATE INDEX study_by_accession ON study (tenant, accession_number);
CREATE INDEX study_by_update ON study (tenant, updated_at);
CREATE INDEX study_by_revision ON study (tenant, revision);

CREATE TABLE series (
  tenant TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  series_uid TEXT NOT NULL,
  modality TEXT, series_number INTEGER, series_date TEXT, series_time TEXT, series_description TEXT,
  body_part_examined TEXT, protocol_name TEXT, performed_procedure_step_start_date TEXT,
  performed_procedure_step_start_time TEXT, manufacturer TEXT, station_name TEXT,
  institution_name TEXT, laterality TEXT,
  instance_count INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  series_description_search TEXT, scheduled_procedure_step_id TEXT, requested_procedure_id TEXT,
  PRIMARY KEY (tenant, study_uid, series_uid),
  FOREIGN KEY (tenant, study_uid) REFERENCES study (tenant, study_uid)
) STRICT;
CREATE INDEX series_by_uid ON series (tenant, series_uid);

-- One row per content ever accepted for a SOP Instance UID; at most one of them is current.
-- Bytes that went: `evicted_at` after proof, by retention; `deleted_at` by a person, on purpose (then superseded).
-- A blob's place is (kind, path, offset, length, generation); path is relative to the archive root.
CREATE TABLE version (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  series_uid TEXT NOT NULL,
  sop_uid TEXT NOT NULL,
  sop_class_uid TEXT NOT NULL,
  transfer_syntax_uid TEXT NOT NULL,
  digest TEXT NOT NULL CHECK (length(digest) = 64),
  trace_id TEXT NOT NULL,
  standing TEXT NOT NULL CHECK (standing IN ('current', 'contested', 'superseded')),
  blob_kind TEXT NOT NULL CHECK (blob_kind IN ('file', 'evicted')),
  blob_path TEXT,
  blob_offset INTEGER NOT NULL,
  blob_length INTEGER NOT NULL,
  blob_generation INTEGER NOT NULL,
  file_size INTEGER NOT NULL,
  door TEXT NOT NULL CHECK (door IN ('dimse', 'stow', 'import')),
  source_ae TEXT NOT NULL,
  source_address TEXT NOT NULL,
  assumed_charset TEXT,
  received_at INTEGER NOT NULL,
  deleted_at INTEGER,
  evicted_at INTEGER,
  UNIQUE (tenant, sop_uid, digest, transfer_syntax_uid)
) STRICT;
CREATE UNIQUE INDEX version_current ON version (tenant, sop_uid) WHERE standing = 'current';
CREATE UNIQUE INDEX version_blob ON version (blob_path) WHERE blob_path IS NOT NULL;
CREATE INDEX version_not_held ON version (tenant, study_uid) WHERE blob_path IS NULL;
CREATE INDEX version_by_study ON version (tenant, study_uid);
CREATE INDEX version_deleted ON version (tenant, sop_uid) WHERE deleted_at IS NOT NULL;

CREATE TABLE instance (
  tenant TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  series_uid TEXT NOT NULL,
  sop_uid TEXT NOT NULL,
  version_id INTEGER NOT NULL REFERENCES version (id),
  sop_class_uid TEXT NOT NULL,
  transfer_syntax_uid TEXT NOT NULL,
  instance_number INTEGER, content_date TEXT, content_time TEXT, acquisition_date TEXT,
  image_type TEXT, image_orientation_patient TEXT, image_position_patient TEXT,
  slice_thickness REAL, spacing_between_slices REAL, slice_location REAL,
  samples_per_pixel INTEGER, photometric_interpretation TEXT, number_of_frames INTEGER,
  rows INTEGER, columns INTEGER, bits_allocated INTEGER, bits_stored INTEGER, high_bit INTEGER,
  pixel_representation INTEGER, rescale_intercept REAL, rescale_slope REAL, rescale_type TEXT,
  window_center TEXT, window_width TEXT,
  received_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, sop_uid),
  FOREIGN KEY (tenant, study_uid, series_uid) REFERENCES series (tenant, study_uid, series_uid)
) STRICT;
CREATE INDEX instance_by_series ON instance (tenant, study_uid, series_uid, instance_number);

CREATE TABLE conflict (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  sop_uid TEXT NOT NULL,
  first_version INTEGER NOT NULL REFERENCES version (id),
  further_version INTEGER NOT NULL REFERENCES version (id),
  policy TEXT NOT NULL CHECK (policy IN ('ask', 'newest', 'first')),
  settled INTEGER NOT NULL CHECK (settled IN (0, 1)),
  chosen_version INTEGER REFERENCES version (id),
  created_at INTEGER NOT NULL,
  settled_at INTEGER,
  settled_by TEXT
) STRICT;
CREATE INDEX conflict_open ON conflict (tenant, created_at) WHERE settled = 0;

CREATE TABLE sink (
  name TEXT PRIMARY KEY,
  active INTEGER NOT NULL CHECK (active IN (0, 1)),
  breaker TEXT NOT NULL CHECK (breaker IN ('closed', 'open', 'half-open', 'paused')),
  reason TEXT NOT NULL,
  since INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  registered_at INTEGER NOT NULL,
  route TEXT NOT NULL DEFAULT '',
  held TEXT NOT NULL DEFAULT '',
  required INTEGER NOT NULL DEFAULT 1,
  places TEXT NOT NULL DEFAULT '',
  filled INTEGER NOT NULL DEFAULT 0,
  fill_until INTEGER NOT NULL DEFAULT 0
) STRICT;

-- An access (somebody has read something) belongs to no study; it goes once every sink has it.
CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('state', 'image', 'object', 'transcode', 'access')),
  study_uid TEXT NOT NULL,
  series_uid TEXT NOT NULL,
  sop_uid TEXT,
  version_id INTEGER REFERENCES version (id),
  message_key TEXT NOT NULL,
  payload TEXT,
  revision INTEGER NOT NULL,
  trace_id TEXT NOT NULL,
  traceparent TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX event_by_series ON event (tenant, study_uid, series_uid, kind);
CREATE INDEX event_access ON event (id) WHERE kind = 'access';
CREATE INDEX event_by_version ON event (version_id) WHERE version_id IS NOT NULL;

CREATE TABLE delivery (
  sink TEXT NOT NULL REFERENCES sink (name),
  event_id INTEGER NOT NULL REFERENCES event (id),
  series_key TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'leased', 'delivered', 'dead', 'buried')),
  attempts INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  lease_token TEXT,
  lease_until INTEGER,
  reason TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  rank INTEGER NOT NULL DEFAULT 5000000000000,
  proof_due INTEGER,
  PRIMARY KEY (sink, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_pending ON delivery (sink, event_id) WHERE state = 'pending';
CREATE INDEX delivery_due ON delivery (sink, not_before) WHERE state = 'pending' AND not_before > 0;
CREATE INDEX delivery_claim ON delivery (sink, rank, event_id) WHERE state = 'pending';
CREATE INDEX delivery_proof ON delivery (sink, proof_due) WHERE proof_due IS NOT NULL;
CREATE INDEX delivery_leased ON delivery (sink, lease_until) WHERE state = 'leased';
CREATE INDEX delivery_unfinished ON delivery (sink, series_key, event_id) WHERE state IN ('pending', 'leased');
CREATE INDEX delivery_dead ON delivery (sink, event_id) WHERE state = 'dead';
CREATE INDEX delivery_buried ON delivery (sink, event_id) WHERE state = 'buried';
CREATE INDEX delivery_by_event ON delivery (event_id);

CREATE TABLE custody (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  series_uid TEXT NOT NULL,
  sop_uid TEXT NOT NULL,
  digest TEXT NOT NULL,
  fact TEXT NOT NULL,
  party TEXT NOT NULL,
  detail TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX custody_by_instance ON custody (tenant, sop_uid);
CREATE INDEX custody_by_study ON custody (tenant, study_uid);

CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  reason TEXT NOT NULL,
  sop_class_uid TEXT NOT NULL,
  sop_uid TEXT NOT NULL,
  transfer_syntax_uid TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  size INTEGER NOT NULL,
  path TEXT,
  door TEXT NOT NULL,
  source_ae TEXT NOT NULL,
  source_address TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  UNIQUE (tenant, sha256)
) STRICT;

CREATE TABLE rejected_caller (
  tenant TEXT NOT NULL,
  ae_title TEXT NOT NULL,
  address TEXT NOT NULL,
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, ae_title, address, reason)
) STRICT, WITHOUT ROWID;

-- Objects whose pixels no decoder here could read: the first frame that failed, and how. The object is untouched.
CREATE TABLE transcode (
  version_id INTEGER PRIMARY KEY REFERENCES version (id),
  tenant TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  series_uid TEXT NOT NULL,
  sop_uid TEXT NOT NULL,
  frame INTEGER NOT NULL,
  fault TEXT NOT NULL CHECK (fault IN ('refused', 'timed_out', 'crashed', 'too_large')),
  reason TEXT NOT NULL,
  program TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX transcode_by_study ON transcode (tenant, study_uid);

-- What a sink has proven of a version: its bytes (fsynced there, or read back equal), or its image record in the
-- centre's databases. `proof` is the signed receipt, or what was read back.
CREATE TABLE confirmation (
  version_id INTEGER NOT NULL REFERENCES version (id),
  sink TEXT NOT NULL REFERENCES sink (name),
  level TEXT NOT NULL CHECK (level IN ('bytes', 'metadata')),
  kind TEXT NOT NULL CHECK (kind IN ('receipt', 'readback')),
  at INTEGER NOT NULL,
  proof TEXT NOT NULL,
  PRIMARY KEY (version_id, sink, level)
) STRICT, WITHOUT ROWID;
CREATE INDEX confirmation_by_sink ON confirmation (sink, level);

-- Up to which revision the centre's databases have the state of a series.
CREATE TABLE series_confirmation (
  tenant TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  series_uid TEXT NOT NULL,
  sink TEXT NOT NULL REFERENCES sink (name),
  revision INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (tenant, study_uid, series_uid, sink)
) STRICT, WITHOUT ROWID;

-- How far the receipts of a sink have been fetched; `trouble` says why they are not fetched now.
CREATE TABLE receipt_cursor (
  sink TEXT PRIMARY KEY REFERENCES sink (name),
  after INTEGER NOT NULL,
  checked_at INTEGER NOT NULL,
  trouble TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- When a study was last looked at, and whether it must stay: for retention.
CREATE TABLE study_use (
  tenant TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  viewed_at INTEGER NOT NULL,
  pinned_at INTEGER,
  pinned_by TEXT,
  pin_reason TEXT,
  PRIMARY KEY (tenant, study_uid)
) STRICT, WITHOUT ROWID;

-- At the centre: what was confirmed to which site. A repeat gets a new number, so that its site sees it again.
CREATE TABLE receipt (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  site TEXT NOT NULL,
  tenant TEXT NOT NULL,
  level TEXT NOT NULL CHECK (level IN ('bytes_confirmed', 'metadata_confirmed')),
  study_uid TEXT NOT NULL,
  series_uid TEXT NOT NULL,
  sop_uid TEXT NOT NULL,
  digest TEXT NOT NULL,
  transfer_syntax_uid TEXT NOT NULL,
  revision INTEGER NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE (site, tenant, level, series_uid, sop_uid, digest, transfer_syntax_uid)
) STRICT;
CREATE INDEX receipt_by_site ON receipt (site, id);

-- At the centre: how far the receipts of another place have been taken over.
CREATE TABLE receipt_source (
  name TEXT PRIMARY KEY,
  after INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
