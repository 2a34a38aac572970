CREATE TABLE reprice_runs (
  id VARCHAR(64) NOT NULL PRIMARY KEY,
  from_ms BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  group_id VARCHAR(64),
  model VARCHAR(256),
  reached_ms BIGINT NOT NULL,
  reached_id VARCHAR(64) NOT NULL,
  records BIGINT NOT NULL,
  changed BIGINT NOT NULL,
  cost_before BIGINT NOT NULL,
  cost_after BIGINT NOT NULL,
  unpriced_before BIGINT NOT NULL,
  unpriced_after BIGINT NOT NULL,
  asked_at BIGINT NOT NULL,
  finished_at BIGINT
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
