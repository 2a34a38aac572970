ALTER TABLE usage_records DROP COLUMN previous_cost_micros;
ALTER TABLE usage_records DROP COLUMN repriced_at;
