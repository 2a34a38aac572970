-- Until now the switch had no effect and was on unless somebody turned it off. Checks cost tokens, so it is off until
-- somebody asks for them.
UPDATE provider_groups SET health_check_enabled = FALSE;
CREATE TABLE health_check_results (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  run_id TEXT NOT NULL,
  group_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  upstream_key_id TEXT,
  upstream_key_masked TEXT,
  model TEXT,
  ok BOOLEAN NOT NULL,
  status INTEGER NOT NULL,
  latency_ms BIGINT NOT NULL,
  error TEXT,
  at BIGINT NOT NULL
);
CREATE INDEX health_check_results_group ON health_check_results (group_id, id);
CREATE INDEX health_check_results_at ON health_check_results (at);
