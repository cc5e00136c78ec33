ALTER TABLE sink ADD COLUMN route TEXT NOT NULL DEFAULT '';
ALTER TABLE sink ADD COLUMN held TEXT NOT NULL DEFAULT '';
ALTER TABLE sink ADD COLUMN required INTEGER NOT NULL DEFAULT 1;
ALTER TABLE delivery ADD COLUMN rank INTEGER NOT NULL DEFAULT 5000000000000;
ALTER TABLE delivery ADD COLUMN proof_due INTEGER;
DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery (sink, not_before) WHERE state = 'pending' AND not_before > 0;
CREATE INDEX delivery_claim ON delivery (sink, rank, event_id) WHERE state = 'pending';
CREATE INDEX delivery_proof ON delivery (sink, proof_due) WHERE proof_due IS NOT NULL;
