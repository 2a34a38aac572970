-- Ids are UUIDv7 text, times are epoch milliseconds, JSON is text. `_sealed` columns hold `<key id>.<base64>`.

CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE users (
  id TEXT NOT NULL PRIMARY KEY,
  username TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  last_login_at BIGINT
);

CREATE TABLE sessions (
  id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT,
  client_ip TEXT NOT NULL,
  user_agent TEXT NOT NULL
);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE provider_groups (
  id TEXT NOT NULL PRIMARY KEY,
  group_name TEXT NOT NULL UNIQUE,
  provider_type TEXT NOT NULL,
  base_url TEXT NOT NULL,
  models TEXT NOT NULL,
  model_aliases TEXT NOT NULL,
  parameter_defaults TEXT NOT NULL,
  parameter_overrides TEXT NOT NULL,
  headers_sealed TEXT,
  balance_policy TEXT NOT NULL,
  retry_count INTEGER NOT NULL,
  timeout_ms BIGINT NOT NULL,
  rpm_limit BIGINT NOT NULL,
  test_model TEXT,
  priority INTEGER NOT NULL,
  enabled BOOLEAN NOT NULL,
  fake_streaming BOOLEAN NOT NULL,
  health_check_enabled BOOLEAN NOT NULL,
  proxy_enabled BOOLEAN NOT NULL,
  proxy_config_sealed TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

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

CREATE TABLE proxy_keys (
  id TEXT NOT NULL PRIMARY KEY,
  key_name TEXT NOT NULL UNIQUE,
  digest TEXT NOT NULL UNIQUE,
  masked TEXT NOT NULL,
  description TEXT,
  enabled BOOLEAN NOT NULL,
  allowed_groups TEXT NOT NULL,
  allowed_models TEXT NOT NULL,
  group_policy TEXT NOT NULL,
  group_weights TEXT NOT NULL,
  rpm_limit BIGINT NOT NULL,
  tpm_limit BIGINT NOT NULL,
  concurrency_limit BIGINT NOT NULL,
  expires_at BIGINT,
  usage_count BIGINT NOT NULL,
  last_used_at BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

-- One row for each entity that a committed change touched: what a delta is made of.
CREATE TABLE config_changes (
  version BIGINT NOT NULL,
  entity_kind TEXT NOT NULL,
  entity_id TEXT NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (version, entity_kind, entity_id)
);

CREATE TABLE usage_records (
  id TEXT NOT NULL PRIMARY KEY,
  request_id TEXT NOT NULL,
  node_id TEXT NOT NULL,
  snapshot_version BIGINT NOT NULL,
  proxy_key_id TEXT,
  proxy_key_name TEXT,
  group_id TEXT,
  group_name TEXT,
  provider_type TEXT,
  upstream_key_id TEXT,
  upstream_key_masked TEXT,
  api TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  requested_model TEXT,
  upstream_model TEXT,
  streamed BOOLEAN NOT NULL,
  has_tools BOOLEAN NOT NULL,
  status INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  error_code TEXT,
  error_message TEXT,
  input_tokens BIGINT NOT NULL,
  cached_tokens BIGINT NOT NULL,
  cache_write_tokens BIGINT NOT NULL,
  output_tokens BIGINT NOT NULL,
  reasoning_tokens BIGINT NOT NULL,
  usage_source TEXT NOT NULL,
  cost_micros BIGINT NOT NULL,
  attempts TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  queue_us BIGINT NOT NULL,
  first_byte_us BIGINT NOT NULL,
  total_us BIGINT NOT NULL,
  client_ip TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  request_bytes BIGINT NOT NULL,
  response_bytes BIGINT NOT NULL,
  recorded_at BIGINT NOT NULL
);
CREATE INDEX usage_records_started_at ON usage_records (started_at, id);
CREATE INDEX usage_records_proxy_key ON usage_records (proxy_key_id, started_at);
CREATE INDEX usage_records_group ON usage_records (group_id, started_at);

CREATE TABLE audit_log (
  id TEXT NOT NULL PRIMARY KEY,
  at BIGINT NOT NULL,
  user_id TEXT,
  username TEXT NOT NULL,
  action TEXT NOT NULL,
  resource TEXT NOT NULL,
  resource_id TEXT,
  detail TEXT NOT NULL,
  client_ip TEXT NOT NULL
);
CREATE INDEX audit_log_at ON audit_log (at, id);
