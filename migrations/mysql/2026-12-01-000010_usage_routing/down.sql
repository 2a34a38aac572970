ALTER TABLE usage_records
  DROP COLUMN affinity,
  DROP COLUMN group_policy;
