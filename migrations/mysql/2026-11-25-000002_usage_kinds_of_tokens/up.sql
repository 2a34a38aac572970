ALTER TABLE usage_records
  ADD COLUMN cache_write_1h_tokens BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN input_audio_tokens BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN output_audio_tokens BIGINT NOT NULL DEFAULT 0;
