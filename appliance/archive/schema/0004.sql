ALTER TABLE study ADD COLUMN patient_id_search TEXT;
ALTER TABLE study ADD COLUMN accession_number_search TEXT;
ALTER TABLE study ADD COLUMN study_id_search TEXT;
ALTER TABLE study ADD COLUMN study_description_search TEXT;
UPDATE study SET patient_id_search = fold(patient_id), accession_number_search = fold(accession_number),
  study_id_search = fold(study_id), study_description_search = fold(study_description);
ALTER TABLE series ADD COLUMN series_description_search TEXT;
ALTER TABLE series ADD COLUMN scheduled_procedure_step_id TEXT;
ALTER TABLE series ADD COLUMN requested_procedure_id TEXT;
UPDATE series SET series_description_search = fold(series_description);
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
CREATE TABLE event_wider (
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
INSERT INTO event_wider (id, tenant, kind, study_uid, series_uid, sop_uid, version_id, message_key, payload, revision,
  trace_id, traceparent, created_at)
  SELECT id, tenant, kind, study_uid, series_uid, sop_uid, version_id, message_key, payload, revision,
    trace_id, traceparent, created_at FROM event;
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'event') WHERE name = 'event_wider';
CREATE TABLE delivery_wider (
  sink TEXT NOT NULL REFERENCES sink (name),
  event_id INTEGER NOT NULL REFERENCES event_wider (id),
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
INSERT INTO delivery_wider (sink, event_id, series_key, state, attempts, not_before, lease_token, lease_until, reason,
  created_at, updated_at, rank, proof_due)
  SELECT sink, event_id, series_key, state, attempts, not_before, lease_token, lease_until, reason,
    created_at, updated_at, rank, proof_due FROM delivery;
DROP TABLE delivery;
DROP TABLE event;
ALTER TABLE event_wider RENAME TO event;
ALTER TABLE delivery_wider RENAME TO delivery;
CREATE INDEX event_by_series ON event (tenant, study_uid, series_uid, kind);
CREATE INDEX event_access ON event (id) WHERE kind = 'access';
CREATE INDEX delivery_pending ON delivery (sink, event_id) WHERE state = 'pending';
CREATE INDEX delivery_due ON delivery (sink, not_before) WHERE state = 'pending' AND not_before > 0;
CREATE INDEX delivery_claim ON delivery (sink, rank, event_id) WHERE state = 'pending';
CREATE INDEX delivery_proof ON delivery (sink, proof_due) WHERE proof_due IS NOT NULL;
CREATE INDEX delivery_leased ON delivery (sink, lease_until) WHERE state = 'leased';
CREATE INDEX delivery_unfinished ON delivery (sink, series_key, event_id) WHERE state IN ('pending', 'leased');
CREATE INDEX delivery_dead ON delivery (sink, event_id) WHERE state = 'dead';
CREATE INDEX delivery_buried ON delivery (sink, event_id) WHERE state = 'buried';
CREATE INDEX delivery_by_event ON delivery (event_id);
