ALTER TABLE usage_records
  MODIFY COLUMN affinity VARCHAR(16),
  MODIFY COLUMN group_policy VARCHAR(16);
