-- What is known of each thing that is checked: a provider, an upstream key, a model. Where a part of the name means
-- nothing, it is empty.
CREATE TABLE health_check_subjects (
  group_id VARCHAR(64) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  upstream_key_id VARCHAR(64) NOT NULL,
  model VARCHAR(256) NOT NULL,
  checks BIGINT NOT NULL,
  failures_in_a_row BIGINT NOT NULL,
  recent BIGINT NOT NULL,
  average_us BIGINT NOT NULL,
  last_check_at BIGINT,
  last_success_at BIGINT,
  last_failure_at BIGINT,
  last_status INT NOT NULL,
  last_error TEXT,
  claimed_at BIGINT NOT NULL,
  PRIMARY KEY (group_id, kind, upstream_key_id, model)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
