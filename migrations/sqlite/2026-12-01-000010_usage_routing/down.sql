ALTER TABLE usage_records DROP COLUMN affinity;
ALTER TABLE usage_records DROP COLUMN group_policy;
