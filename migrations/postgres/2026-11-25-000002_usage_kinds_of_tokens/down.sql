ALTER TABLE usage_records
  DROP COLUMN cache_write_1h_tokens,
  DROP COLUMN input_audio_tokens,
  DROP COLUMN output_audio_tokens;
