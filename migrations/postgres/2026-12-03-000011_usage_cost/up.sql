-- Until here the column was always 0, whatever a request cost. A record without a price has none, which is not 0.
ALTER TABLE usage_records
  DROP COLUMN cost_micros,
  ADD COLUMN service_tier TEXT,
  ADD COLUMN input_image_tokens BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN output_image_tokens BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN units TEXT,
  ADD COLUMN cost_micros BIGINT,
  ADD COLUMN cost_input_micros BIGINT,
  ADD COLUMN cost_cached_micros BIGINT,
  ADD COLUMN cost_cache_write_5m_micros BIGINT,
  ADD COLUMN cost_cache_write_1h_micros BIGINT,
  ADD COLUMN cost_output_micros BIGINT,
  ADD COLUMN cost_reasoning_micros BIGINT,
  ADD COLUMN cost_audio_micros BIGINT,
  ADD COLUMN cost_image_micros BIGINT,
  ADD COLUMN cost_units_micros BIGINT;
