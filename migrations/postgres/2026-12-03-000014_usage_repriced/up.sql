ALTER TABLE usage_records
  ADD COLUMN previous_cost_micros BIGINT,
  ADD COLUMN repriced_at BIGINT;
