CREATE TABLE upstream_keys (
  id TEXT NOT NULL PRIMARY KEY,
  group_id TEXT NOT NULL REFERENCES provider_groups (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  secret_sealed TEXT NOT NULL,
  masked TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX upstream_keys_group_id ON upstream_keys (group_id, position);
