ALTER TABLE usage_records ADD COLUMN cache TEXT;
