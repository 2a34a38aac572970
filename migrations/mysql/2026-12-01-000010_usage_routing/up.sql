ALTER TABLE usage_records
  ADD COLUMN affinity VARCHAR(16),
  ADD COLUMN group_policy VARCHAR(16);
