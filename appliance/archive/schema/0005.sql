-- A version whose bytes went: evicted_at after proof, by retention; deleted_at by a person, on purpose (it is then superseded).
ALTER TABLE version ADD COLUMN deleted_at INTEGER;
ALTER TABLE version ADD COLUMN evicted_at INTEGER;
CREATE INDEX version_deleted ON version (tenant, sop_uid) WHERE deleted_at IS NOT NULL;
CREATE INDEX event_by_version ON event (version_id) WHERE version_id IS NOT NULL;
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
CREATE TABLE series_confirmation (
  tenant TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  series_uid TEXT NOT NULL,
  sink TEXT NOT NULL REFERENCES sink (name),
  revision INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (tenant, study_uid, series_uid, sink)
) STRICT, WITHOUT ROWID;
CREATE TABLE receipt_cursor (
  sink TEXT PRIMARY KEY REFERENCES sink (name),
  after INTEGER NOT NULL,
  checked_at INTEGER NOT NULL,
  trouble TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE study_use (
  tenant TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  viewed_at INTEGER NOT NULL,
  pinned_at INTEGER,
  pinned_by TEXT,
  pin_reason TEXT,
  PRIMARY KEY (tenant, study_uid)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE receipt_source (
  name TEXT PRIMARY KEY,
  after INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
