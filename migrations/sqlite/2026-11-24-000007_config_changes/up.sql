-- One row for each entity that a committed change touched. Deltas are made from these rows.
CREATE TABLE config_changes (
  version BIGINT NOT NULL,
  entity_kind TEXT NOT NULL,
  entity_id TEXT NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (version, entity_kind, entity_id)
);
