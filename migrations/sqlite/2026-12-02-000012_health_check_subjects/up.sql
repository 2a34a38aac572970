-- What is known of each thing that is checked: a provider, an upstream key, a model. Where a part of the name means
-- nothing, it is empty.
CREATE TABLE health_check_subjects (
  group_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  upstream_key_id TEXT NOT NULL,
  model TEXT NOT NULL,
  checks BIGINT NOT NULL,
  failures_in_a_row BIGINT NOT NULL,
  recent BIGINT NOT NULL,
  average_us BIGINT NOT NULL,
  last_check_at BIGINT,
  last_success_at BIGINT,
  last_failure_at BIGINT,
  last_status INTEGER NOT NULL,
  last_error TEXT,
  claimed_at BIGINT NOT NULL,
  PRIMARY KEY (group_id, kind, upstream_key_id, model)
);
