-- Until now the switch had no effect and was on unless somebody turned it off. Checks cost tokens, so it is off until
-- somebody asks for them.
UPDATE provider_groups SET health_check_enabled = FALSE;
CREATE TABLE health_check_results (
  id VARCHAR(64) NOT NULL PRIMARY KEY,
  run_id VARCHAR(64) NOT NULL,
  group_id VARCHAR(64) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  upstream_key_id VARCHAR(64),
  upstream_key_masked VARCHAR(255),
  model VARCHAR(256),
  ok BOOLEAN NOT NULL,
  status INT NOT NULL,
  latency_ms BIGINT NOT NULL,
  error TEXT,
  at BIGINT NOT NULL,
  INDEX health_check_results_group (group_id, id),
  INDEX health_check_results_at (at)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
