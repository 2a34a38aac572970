ALTER TABLE usage_records ADD COLUMN cache VARCHAR(16);
