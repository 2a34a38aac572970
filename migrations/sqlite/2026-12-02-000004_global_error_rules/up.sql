CREATE TABLE global_error_rules (
  id TEXT NOT NULL PRIMARY KEY,
  rules TEXT NOT NULL,
  updated_at BIGINT NOT NULL
);
