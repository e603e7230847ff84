-- The audit log is a chain: each line carries the SHA-256 of the line before it
-- and of its own columns (src/outbox/audit.c says how they are framed), so that
-- one that was changed or taken out of the middle shows. Lines from before this
-- have none.
ALTER TABLE spool_audit ADD COLUMN chain BLOB NOT NULL DEFAULT x'';
