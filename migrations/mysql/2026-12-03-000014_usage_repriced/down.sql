ALTER TABLE usage_records
  DROP COLUMN previous_cost_micros,
  DROP COLUMN repriced_at;
