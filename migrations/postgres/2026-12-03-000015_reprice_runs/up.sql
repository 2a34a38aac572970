CREATE TABLE reprice_runs (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  from_ms BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  group_id TEXT,
  model TEXT,
  reached_ms BIGINT NOT NULL,
  reached_id TEXT NOT NULL,
  records BIGINT NOT NULL,
  changed BIGINT NOT NULL,
  cost_before BIGINT NOT NULL,
  cost_after BIGINT NOT NULL,
  unpriced_before BIGINT NOT NULL,
  unpriced_after BIGINT NOT NULL,
  asked_at BIGINT NOT NULL,
  finished_at BIGINT
);
