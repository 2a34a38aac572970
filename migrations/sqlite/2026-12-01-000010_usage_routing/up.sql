ALTER TABLE usage_records ADD COLUMN affinity TEXT;
ALTER TABLE usage_records ADD COLUMN group_policy TEXT;
