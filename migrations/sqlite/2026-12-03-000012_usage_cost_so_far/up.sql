-- Counted once, like the number of records. What came before costs were counted is unpriced.
INSERT INTO ledger_totals (name, value)
SELECT 'unpriced_records', COUNT(*) FROM usage_records WHERE cost_micros IS NULL
UNION ALL SELECT 'cost_micros', COALESCE(SUM(cost_micros), 0) FROM usage_records;
