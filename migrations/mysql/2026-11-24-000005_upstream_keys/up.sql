CREATE TABLE upstream_keys (
  id VARCHAR(64) NOT NULL PRIMARY KEY,
  group_id VARCHAR(64) NOT NULL,
  position INTEGER NOT NULL,
  secret_sealed MEDIUMTEXT NOT NULL,
  masked VARCHAR(255) NOT NULL,
  enabled BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  FOREIGN KEY (group_id) REFERENCES provider_groups (id) ON DELETE CASCADE,
  INDEX upstream_keys_group_id (group_id, position)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
