-- One row for each entity that a committed change touched. Deltas are made from these rows.
CREATE TABLE config_changes (
  version BIGINT NOT NULL,
  entity_kind VARCHAR(64) NOT NULL,
  entity_id VARCHAR(64) NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (version, entity_kind, entity_id)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
