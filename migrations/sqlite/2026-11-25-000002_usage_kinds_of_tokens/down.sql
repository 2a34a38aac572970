ALTER TABLE usage_records DROP COLUMN cache_write_1h_tokens;
ALTER TABLE usage_records DROP COLUMN input_audio_tokens;
ALTER TABLE usage_records DROP COLUMN output_audio_tokens;
