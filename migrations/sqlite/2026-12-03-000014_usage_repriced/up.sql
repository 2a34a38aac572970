ALTER TABLE usage_records ADD COLUMN previous_cost_micros BIGINT;
ALTER TABLE usage_records ADD COLUMN repriced_at BIGINT;
