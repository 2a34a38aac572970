CREATE TABLE key_states (
  upstream_key_id TEXT NOT NULL,
  model TEXT NOT NULL,
  group_id TEXT NOT NULL,
  marks TEXT NOT NULL,
  forget_at BIGINT NOT NULL,
  saved_at BIGINT NOT NULL,
  PRIMARY KEY (upstream_key_id, model)
);
